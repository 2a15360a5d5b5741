//! Matrix HTML as the lines of a WhatsApp text. Every element that it does not know gives its text.

use std::collections::BTreeSet;

use super::{
    Loss, NetworkText, block,
    html::{DEPTH_MAX, Html, Kind, NodeRef},
    inline, links,
    run::Style,
};

/// Schemes that a link may have (client-server API, "`m.room.message` msgtypes").
const LINK_SCHEMES: [&str; 5] = ["https", "http", "ftp", "mailto", "magnet"];
/// The highest number that a list item is given; the network reads no longer ones.
const NUMBER_MAX: i64 = 999_999_999;

/// Renders a whole fragment.
pub(super) fn render(html: &Html) -> NetworkText {
    let mut losses = BTreeSet::new();
    let mut outline = Outline::new(true);
    outline.walk(Place { node: html.root(), style: Style::NONE, depth: 0 }, &mut losses);
    NetworkText {
        text: outline.finish(&mut losses).join("\n"),
        losses: losses.into_iter().collect(),
    }
}

#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    node: NodeRef<'a>,
    style: Style,
    depth: usize,
}

impl<'a> Place<'a> {
    fn children(self) -> impl Iterator<Item = Self> + 'a {
        self.node.children().map(move |node| Self {
            node,
            style: self.style,
            depth: self.depth + 1,
        })
    }

    fn styled(self, mark: Style) -> Self {
        Self { style: self.style.with(mark), ..self }
    }
}

/// The lines of one container: the message, a quote, a list item.
struct Outline {
    lines: Vec<String>,
    /// The line that is being written. `None` between lines, so that a break there makes a blank
    /// line.
    open: Option<Vec<(char, Style)>>,
    /// Spaces that count only if something visible follows on the same line.
    spaces: Vec<(char, Style)>,
    /// A blank line is due before the next content.
    margin: bool,
    /// Whether its lines will be lines of the message, where a quote mark or a list mark counts.
    is_message: bool,
}

impl Outline {
    fn new(is_message: bool) -> Self {
        Self { lines: Vec::new(), open: None, spaces: Vec::new(), margin: false, is_message }
    }

    fn finish(mut self, losses: &mut BTreeSet<Loss>) -> Vec<String> {
        self.end_line(losses);
        self.lines
    }

    fn walk_children(&mut self, place: Place<'_>, losses: &mut BTreeSet<Loss>) {
        for child in place.children() {
            self.walk(child, losses);
        }
    }

    fn walk(&mut self, place: Place<'_>, losses: &mut BTreeSet<Loss>) {
        if let Kind::Text(text) = place.node.kind() {
            return self.push_html_text(text, place.style);
        }
        if place.depth > DEPTH_MAX {
            losses.insert(Loss::Nesting);
            return self.push_html_text(&place.node.text(), place.style);
        }
        match place.node.name() {
            "b" | "strong" => self.walk_children(place.styled(Style::BOLD), losses),
            "i" | "em" => self.walk_children(place.styled(Style::ITALIC), losses),
            "del" | "s" | "strike" => self.walk_children(place.styled(Style::STRIKE), losses),
            "code" | "tt" => self.walk_children(place.styled(Style::CODE), losses),
            "a" => self.push_link(place, losses),
            "img" => {
                losses.insert(Loss::Image);
                let text = place.node.attribute("alt").or_else(|| place.node.attribute("title"));
                self.push_html_text(text.unwrap_or_default(), place.style);
            }
            "span" | "font" | "u" | "sup" | "sub" => {
                losses.extend(style_loss(place.node));
                self.walk_children(place, losses);
            }
            // The reply fallback repeats another message; scripts and styles are not text.
            "mx-reply" | "script" | "style" | "template" => {}
            _ => self.walk_block(place, losses),
        }
    }

    fn walk_block(&mut self, place: Place<'_>, losses: &mut BTreeSet<Loss>) {
        match place.node.name() {
            "br" => self.push_break(losses),
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_line(losses);
                self.margin = true;
                let is_heading = place.node.name() != "p";
                let style = if is_heading { Style::BOLD } else { Style::NONE };
                self.walk_children(place.styled(style), losses);
                self.end_line(losses);
                self.margin = true;
            }
            "pre" => self.push_code_block(place, losses),
            "blockquote" => {
                let lines = inner(place, losses);
                // A blank line would end the quote on the network.
                let quoted = lines.iter().filter(|line| !line.is_empty());
                let quoted = quoted.map(|line| format!("> {line}")).collect();
                self.push_lines(quoted, losses);
            }
            "ul" => self.push_list(place, None, losses),
            "ol" => {
                let start =
                    place.node.attribute("start").and_then(|start| start.trim().parse().ok());
                let start = start.filter(|start| (0..=NUMBER_MAX).contains(start)).unwrap_or(1);
                self.push_list(place, Some(start), losses);
            }
            "hr" => self.push_lines(vec!["———".to_owned()], losses),
            "table" => {
                losses.insert(Loss::Table);
                self.push_container(place, losses);
            }
            "tr" => {
                self.end_line(losses);
                for (index, cell) in place.children().filter(|it| is_cell(it.node)).enumerate() {
                    if index > 0 {
                        self.push_html_text(" | ", cell.style);
                    }
                    self.walk_children(cell, losses);
                }
                self.end_line(losses);
            }
            "div" | "details" | "summary" | "caption" | "section" | "article" | "dl" | "dt"
            | "dd" | "li" | "center" => self.push_container(place, losses),
            _ => self.walk_children(place, losses),
        }
    }

    fn push_container(&mut self, place: Place<'_>, losses: &mut BTreeSet<Loss>) {
        self.end_line(losses);
        self.walk_children(place, losses);
        self.end_line(losses);
    }

    /// Writes items with their marks; what follows an item's first line is indented, since lists do
    /// not nest on the network.
    fn push_list(&mut self, place: Place<'_>, start: Option<i64>, losses: &mut BTreeSet<Loss>) {
        let mut number = start;
        let mut lines = Vec::new();
        for item in place.children() {
            let is_item = item.node.name() == "li";
            let mut inner = inner(item, losses);
            inner.retain(|line| !line.is_empty());
            let mark = match number {
                Some(number) if is_item => format!("{number}. "),
                None if is_item => "- ".to_owned(),
                _ => "  ".to_owned(),
            };
            if is_item {
                number = number.map(|number| NUMBER_MAX.min(number + 1));
            }
            lines.extend(inner.into_iter().enumerate().map(|(index, line)| {
                format!("{}{line}", if index == 0 { mark.as_str() } else { "  " })
            }));
        }
        self.push_lines(lines, losses);
    }

    fn push_code_block(&mut self, place: Place<'_>, losses: &mut BTreeSet<Loss>) {
        let text = place.node.text();
        let code = text.strip_suffix('\n').unwrap_or(&text);
        if code.trim().is_empty() {
            return;
        }
        if self.is_message && !code.contains("```") {
            let is_one_line = !code.contains('\n');
            let fenced =
                if is_one_line { format!("```{code}```") } else { format!("```\n{code}\n```") };
            return self.push_lines(fenced.split('\n').map(str::to_owned).collect(), losses);
        }
        // Fences would reach across the marks of a quote or a list, or pair wrongly: then each line
        // has its own marks.
        for line in code.split('\n') {
            self.push_break_if_open(losses);
            self.push_literal(line, place.style.with(Style::CODE));
            self.end_line(losses);
        }
    }

    /// A mention is its display name. A link is its text and, unless that shows it already, its
    /// target.
    fn push_link(&mut self, place: Place<'_>, losses: &mut BTreeSet<Loss>) {
        self.walk_children(place, losses);
        let target = place.node.attribute("href").unwrap_or_default().trim();
        let scheme = target.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let text = place.node.text();
        let text = text.trim();
        if target.is_empty()
            || (!text.is_empty() && links::is_mention(target))
            || bare(text) == bare(target)
        {
            return;
        }
        if !scheme.is_some_and(|scheme| LINK_SCHEMES.contains(&scheme.as_str())) {
            losses.insert(Loss::LinkTarget);
            return;
        }
        if text.is_empty() {
            self.push_literal(target, place.style);
        } else {
            self.push_literal(&format!(" ({target})"), place.style);
        }
    }

    /// Text as HTML has it: white space with a newline in it is the layout of the source, one space
    /// at most. Plain spaces are kept as they are.
    fn push_html_text(&mut self, text: &str, style: Style) {
        let is_space = |char: char| matches!(char, ' ' | '\n' | '\t' | '\r' | '\u{c}');
        let mut rest = text;
        while !rest.is_empty() {
            let words = rest.find(is_space).unwrap_or(rest.len());
            self.push_literal(&rest[..words], style);
            rest = &rest[words..];
            let spaces = rest.find(|char| !is_space(char)).unwrap_or(rest.len());
            if rest[..spaces].bytes().all(|byte| byte == b' ') {
                self.push_literal(&rest[..spaces], style);
            } else if self.open.is_some() && self.spaces.is_empty() {
                self.push_literal(" ", style);
            }
            rest = &rest[spaces..];
        }
    }

    fn push_literal(&mut self, text: &str, style: Style) {
        for char in text.chars() {
            if char == ' ' {
                self.spaces.push((char, style));
                continue;
            }
            if self.open.is_none() {
                self.take_margin();
            }
            let line = self.open.get_or_insert_default();
            line.append(&mut self.spaces);
            line.push((char, style));
        }
    }

    fn push_break(&mut self, losses: &mut BTreeSet<Loss>) {
        if self.open.is_some() {
            self.end_line(losses);
        } else {
            self.spaces.clear();
            self.margin = false;
            self.lines.push(String::new());
        }
    }

    fn push_break_if_open(&mut self, losses: &mut BTreeSet<Loss>) {
        if self.open.is_some() {
            self.end_line(losses);
        }
    }

    /// Adds finished lines as a block of their own.
    fn push_lines(&mut self, lines: Vec<String>, losses: &mut BTreeSet<Loss>) {
        self.end_line(losses);
        if !lines.is_empty() {
            self.take_margin();
            self.lines.extend(lines);
        }
    }

    fn take_margin(&mut self) {
        let is_due = std::mem::take(&mut self.margin);
        if is_due && self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn end_line(&mut self, losses: &mut BTreeSet<Loss>) {
        self.spaces.clear();
        let Some(line) = self.open.take() else { return };
        let plain = line.iter().filter(|it| !it.1.has(Style::CODE)).map(|it| it.0);
        let has_fence = plain.collect::<String>().contains("```");
        let written = inline::write(line);
        let is_prefixed = self.is_message && block::split_prefix(&written.text).is_some();
        if written.is_lossy {
            losses.insert(Loss::Formatting);
        }
        if written.is_literal || is_prefixed || has_fence {
            losses.insert(Loss::LiteralMarkers);
        }
        self.lines.push(written.text);
    }
}

fn inner(place: Place<'_>, losses: &mut BTreeSet<Loss>) -> Vec<String> {
    let mut outline = Outline::new(false);
    if let Kind::Text(_) = place.node.kind() {
        outline.walk(place, losses);
    } else if matches!(place.node.name(), "ul" | "ol") {
        outline.walk_block(place, losses);
    } else {
        outline.walk_children(place, losses);
    }
    outline.finish(losses)
}

fn is_cell(node: NodeRef<'_>) -> bool {
    matches!(node.name(), "td" | "th")
}

fn style_loss(node: NodeRef<'_>) -> Option<Loss> {
    let has = |name: &str| node.attribute(name).is_some();
    if has("data-mx-spoiler") {
        Some(Loss::Spoiler)
    } else if has("data-mx-color")
        || has("data-mx-bg-color")
        || has("color")
        || node.name() != "span"
    {
        Some(Loss::Style)
    } else {
        None
    }
}

/// A link without what clients leave out when they show it.
fn bare(link: &str) -> String {
    let link = link.to_ascii_lowercase();
    let bare =
        ["https://", "http://", "mailto:"].iter().find_map(|scheme| link.strip_prefix(scheme));
    bare.unwrap_or(&link).trim_end_matches('/').to_owned()
}
