//! Blocks as the HTML that Matrix clients show. Writes only elements of the specification's list,
//! everything else escaped.

use super::{
    block::{self, Block},
    run::{Run, Style, Token, nest},
};

/// The HTML, or `None` if the text has no formatting.
pub(super) fn render(blocks: &[Block]) -> Option<String> {
    block::has_formatting(blocks).then(|| write(blocks))
}

/// The HTML, formatting or not.
pub(super) fn write(blocks: &[Block]) -> String {
    let mut html = String::new();
    for (index, block) in blocks.iter().enumerate() {
        match block {
            Block::Lines(lines) => {
                push_lines(&mut html, lines);
                // A break before a block only ends its line: a blank line there needs one more.
                if lines.last().is_some_and(Vec::is_empty) && index + 1 < blocks.len() {
                    html.push_str("<br>");
                }
            }
            Block::Quote(lines) => {
                html.push_str("<blockquote>");
                push_lines(&mut html, lines);
                html.push_str("</blockquote>");
            }
            Block::Bullets(items) => push_list(&mut html, "<ul>", items, "</ul>"),
            Block::Numbers(1, items) => push_list(&mut html, "<ol>", items, "</ol>"),
            Block::Numbers(start, items) => {
                push_list(&mut html, &format!("<ol start=\"{start}\">"), items, "</ol>");
            }
            Block::Code(code) => {
                html.push_str("<pre><code>");
                push_escaped(&mut html, code);
                html.push_str("\n</code></pre>");
            }
        }
    }
    html
}

fn push_list(html: &mut String, open: &str, items: &[Vec<Run>], close: &str) {
    html.push_str(open);
    for item in items {
        html.push_str("<li>");
        push_runs(html, item);
        html.push_str("</li>");
    }
    html.push_str(close);
}

fn push_lines(html: &mut String, lines: &[Vec<Run>]) {
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            html.push_str("<br>");
        }
        push_runs(html, line);
    }
}

fn push_runs(html: &mut String, runs: &[Run]) {
    nest(runs, |token| match token {
        Token::Open(mark) => {
            html.push('<');
            html.push_str(element(mark));
            html.push('>');
        }
        Token::Close(mark) => {
            html.push_str("</");
            html.push_str(element(mark));
            html.push('>');
        }
        Token::Text(run) => push_escaped(html, &run.text),
    });
}

fn element(mark: Style) -> &'static str {
    match mark {
        Style::BOLD => "strong",
        Style::ITALIC => "em",
        Style::STRIKE => "del",
        _ => "code",
    }
}

fn push_escaped(html: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            // HTML has no such character, and reads a carriage return as a line feed.
            '\0' | '\r' => {}
            char => html.push(char),
        }
    }
}
