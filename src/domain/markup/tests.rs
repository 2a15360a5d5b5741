//! What people on both sides would see.

use proptest::prelude::*;

use super::{
    Loss, MATRIX_TEXT_BYTES_MAX, NETWORK_TEXT_CHARS_MAX, TooLong, html, link_target, to_matrix,
    to_matrix_linked, to_matrix_parts, to_network, typed,
};

/// Checks what Matrix clients get for a network text; the empty string stands for "no formatting".
#[track_caller]
fn check_matrix(text: &str, formatted: &str) {
    let matrix = to_matrix(text);
    assert_eq!(matrix.body, text);
    assert_eq!(matrix.formatted_body.unwrap_or_default(), formatted, "for {text:?}");
}

/// Checks what the network gets for Matrix HTML.
#[track_caller]
fn check_network(html: &str, text: &str, losses: &[Loss]) {
    let network = to_network("the plain body", Some(html)).unwrap();
    assert_eq!(network.text, text, "for {html:?}");
    assert_eq!(network.losses, losses, "for {html:?}");
}

#[test]
fn network_markup_becomes_matrix_html() {
    for (text, formatted) in [
        ("*bold*", "<strong>bold</strong>"),
        ("_italic_ and ~strike~", "<em>italic</em> and <del>strike</del>"),
        ("`code` here", "<code>code</code> here"),
        ("*bold _and italic_*", "<strong>bold <em>and italic</em></strong>"),
        ("_*~all~*_", "<strong><em><del>all</del></em></strong>"),
        ("(*so*), *so!*", "(<strong>so</strong>), <strong>so!</strong>"),
        ("**so**", "*<strong>so</strong>*"),
        ("`*not bold*`", "<code>*not bold*</code>"),
        ("*with `code`*", "<strong>with <code>code</code></strong>"),
        ("a ```b`c``` d", "a <code>b`c</code> d"),
        ("```one line```", "<pre><code>one line\n</code></pre>"),
        ("```\nfn a() {}\n\n<b>\n```", "<pre><code>fn a() {}\n\n&lt;b&gt;\n</code></pre>"),
        ("Log:\n```a\nb```\nend", "Log:<pre><code>a\nb\n</code></pre>end"),
        (
            "> quoted\n> *twice*\nanswer",
            "<blockquote>quoted<br><strong>twice</strong></blockquote>answer",
        ),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("* a\n* b", "<ul><li>a</li><li>b</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("7. a\n8. b", "<ol start=\"7\"><li>a</li><li>b</li></ol>"),
        ("1. a\n1. b", "<ol><li>a</li></ol><ol><li>b</li></ol>"),
        ("a\n\n> b\n\nc", "a<br><br><blockquote>b</blockquote><br>c"),
        ("*a* & <b>", "<strong>a</strong> &amp; &lt;b&gt;"),
        ("*שלום* 👩‍👩‍👧 *e\u{301}*", "<strong>שלום</strong> 👩‍👩‍👧 <strong>e\u{301}</strong>"),
        ("*a*\r\n*b*", "<strong>a</strong><br><strong>b</strong>"),
        ("_see https://x.org/_a_b_", "<em>see https://x.org/_a_b</em>"),
        ("*https://x.org*", "<strong>https://x.org</strong>"),
    ] {
        check_matrix(text, formatted);
    }
}

#[test]
fn what_is_no_markup_stays_as_it_is() {
    for text in [
        "snake_case_name",
        "un*believ*able",
        "2 * 3 * 4",
        "x * a*",
        "so *a *",
        "**",
        "*a\nb*",
        "https://x/_a_b_",
        "x.org/_a_ www.y.org/*b*",
        "me_you_@x.org",
        "-a",
        "- ",
        ">a",
        "> ",
        "1.a",
        "01. a",
        "1234567890. a",
        "٣. a",
        "``",
        "```",
        "``````",
        "` a`",
        "cafe\u{301}_x_",
        "中文*粗*中文",
        " *",
        "",
        "a\n\nb  c",
    ] {
        check_matrix(text, "");
        let network = to_network(text, None).unwrap();
        assert_eq!((network.text.as_str(), network.losses), (text, vec![]));
    }
}

#[test]
fn matrix_html_becomes_network_markup() {
    for (html, text) in [
        ("<strong>a</strong> <b>b</b>", "*a* *b*"),
        ("<em>a</em> <i>b</i>", "_a_ _b_"),
        ("<del>a</del> <s>b</s> <strike>c</strike>", "~a~ ~b~ ~c~"),
        ("<b>a <b>b</b></b>", "*a b*"),
        ("<b> a </b>b", " *a* b"),
        ("<b>a<br>b</b>", "*a*\n*b*"),
        ("<b>a <i>b</i></b><i> c</i>", "*a* *_b_* _c_"),
        ("<code>x *y*</code>", "`x *y*`"),
        ("<code>a`b</code>!", "```a`b```!"),
        ("<pre><code class=\"language-rust\">let a;\n</code></pre>", "```let a;```"),
        ("<pre><code>a\n  b\n</code></pre>", "```\na\n  b\n```"),
        ("<p>a</p>\n<pre>b</pre>\n<p>c</p>", "a\n\n```b```\n\nc"),
        ("<p>a<br />\nb</p>\n<p>c</p>\n", "a\nb\n\nc"),
        ("<h1>Title</h1>\n<p>text</p>", "*Title*\n\ntext"),
        ("<blockquote>\n<p>a</p>\n<p>b</p>\n</blockquote>\n<p>c</p>", "> a\n> b\n\nc"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n> > b\nc"),
        ("<blockquote><pre>a\nb</pre></blockquote>", "> `a`\n> `b`"),
        ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>", "- a\n- b"),
        ("<ul><li><p>a</p></li><li><p>b</p><p>c</p></li></ul>", "- a\n- b\n  c"),
        (
            "<ul><li>a<ol start=\"3\"><li>b</li><li>c</li></ol></li><li>d</li></ul>",
            "- a\n  3. b\n  4. c\n- d",
        ),
        ("<ol start=\"-2\"><li>a</li></ol>", "1. a"),
        ("<ol start=\"999999999\"><li>a</li><li>b</li></ol>", "999999999. a\n999999999. b"),
        ("<a href=\"https://x.org/\">https://x.org</a>", "https://x.org"),
        ("<a href=\"https://x.org/_a_\">here</a>", "here (https://x.org/_a_)"),
        ("<a href=\"https://x.org\"></a>", "https://x.org"),
        ("<a href=\"mailto:a@x.org\">a@x.org</a>", "a@x.org"),
        ("<a href=\"https://matrix.to/#/@al_ice:x.org\">Alice</a>: hi", "Alice: hi"),
        ("<a href=\"https://matrix.to/#/%23room:x.org\">#room:x.org</a>", "#room:x.org"),
        ("<a href=\"matrix:u/alice:x.org\">Alice</a>", "Alice"),
        ("<mx-reply><blockquote>old</blockquote></mx-reply>new", "new"),
        ("<blink>a</blink> <x-y>b</x-y>", "a b"),
        ("<script>a</script>b<style>c</style><!-- d -->", "b"),
        ("a &amp; b &lt;c&gt; &#x1F600; &nbsp;", "a & b <c> 😀 \u{a0}"),
        ("<p>שלום <b>עולם</b></p>", "שלום *עולם*"),
        ("a\n   b", "a b"),
        ("a<hr>b", "a\n———\nb"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("snake_case <b>x_y</b>", "snake_case *x_y*"),
        ("<span data-mx-maths=\"x^2\"><code>x^2</code></span>", "`x^2`"),
        ("unclosed <b>bold", "unclosed *bold*"),
    ] {
        check_network(html, text, &[]);
    }
}

#[test]
fn what_the_network_cannot_show_is_named() {
    for (html, text, loss) in [
        ("un<b>believ</b>able", "unbelievable", Loss::Formatting),
        ("<code>a```b</code>", "a```b", Loss::Formatting),
        ("<span data-mx-spoiler=\"end\">he dies</span>", "he dies", Loss::Spoiler),
        ("<span data-mx-color=\"#f00\">red</span>", "red", Loss::Style),
        ("x<sup>2</sup>", "x2", Loss::Style),
        ("<img src=\"mxc://x/y\" alt=\":cat:\">", ":cat:", Loss::Image),
        (
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>c</td><td>d</td></tr></tbody></table>",
            "a | b\nc | d",
            Loss::Table,
        ),
        ("<a href=\"javascript:x\">go</a>", "go", Loss::LinkTarget),
        ("*so* &amp; so", "*so* & so", Loss::LiteralMarkers),
        ("<p>- a</p>", "- a", Loss::LiteralMarkers),
        ("```<br>a<br>```", "```\na\n```", Loss::LiteralMarkers),
    ] {
        let losses = to_network("", Some(html)).unwrap().losses;
        assert!(losses.contains(&loss), "{losses:?} for {html:?}");
        check_network(html, text, &losses);
        assert!(losses.iter().all(|loss| !loss.notice().is_empty()));
    }
}

#[test]
fn literal_markers_in_plain_text_are_sent_as_they_are_and_named() {
    let network = to_network("*so* and > so", None).unwrap();
    assert_eq!(network.text, "*so* and > so");
    assert_eq!(network.losses, [Loss::LiteralMarkers]);
}

#[test]
fn html_without_text_falls_back_to_the_body() {
    check_network("<mx-reply>old</mx-reply>", "the plain body", &[]);
    check_network("", "the plain body", &[]);
}

#[test]
fn depth_counts_up_to_the_limit() {
    // The parser's own root element is the first level.
    let nested =
        |depth: usize| format!("{}a <i>b</i>{}", "<div>".repeat(depth), "</div>".repeat(depth));
    check_network(&nested(html::DEPTH_MAX - 3), "a _b_", &[]);
    check_network(&nested(html::DEPTH_MAX), "a b", &[Loss::Nesting]);
}

#[test]
fn tags_count_up_to_the_limit() {
    let tags = |count: usize| "<wbr>".repeat(count) + "a";
    check_network(&tags(html::TAGS_MAX), "a", &[]);
    check_network(&tags(html::TAGS_MAX + 1), "the plain body", &[Loss::Nesting]);
}

#[test]
fn the_deepest_html_of_an_event_does_no_harm() {
    for tag in ["b", "div", "blockquote", "ul><li", "table><tr><td", "p><a href=x"] {
        let count = html::TAGS_MAX / tag.matches('<').count().max(1) / 2;
        to_network("", Some(&format!("<{tag}>").repeat(count))).unwrap();
    }
}

#[test]
fn texts_made_to_cost_time_cost_little() {
    for unit in [
        "*", "*a ", "`a ", "```a\n", "``` ", "_*~a ", "> ", "https://", "a.b/*", "1. a\n", "*a b* ",
    ] {
        let text = unit.repeat(NETWORK_TEXT_CHARS_MAX / unit.len());
        let html = to_matrix(&text).formatted_body.unwrap_or_default();
        let _ = to_network(&text, Some(&html)).unwrap();
        let _ = to_network(&text, Some(&text)).unwrap();
    }
}

#[test]
fn length_counts_in_utf16_units_up_to_the_limit() {
    let text = "a".repeat(NETWORK_TEXT_CHARS_MAX);
    assert_eq!(to_network(&text, None).unwrap().text, text);
    let longer = TooLong { chars: NETWORK_TEXT_CHARS_MAX + 1, max: NETWORK_TEXT_CHARS_MAX };
    assert_eq!(to_network(&(text + "a"), None).unwrap_err(), longer);
    let emoji = "😀".repeat(NETWORK_TEXT_CHARS_MAX / 2);
    assert_eq!(to_network(&emoji, None).unwrap().text, emoji);
    assert!(to_network(&(emoji + "a"), None).is_err());
}

#[test]
fn a_text_longer_than_an_event_comes_in_parts() {
    // Two bytes are the quotation marks of the JSON string.
    let fits = "a".repeat(MATRIX_TEXT_BYTES_MAX - 2);
    assert_eq!(to_matrix_parts(&fits).len(), 1);
    assert_eq!(to_matrix_parts(&(fits + "a")).len(), 2);
    assert_eq!(to_matrix_parts(""), [to_matrix("")]);
    for unit in ["*word* ", "😀", "\u{1}", "a line\n", "<&\"> *b* \n- c\n"] {
        let text = unit.repeat(NETWORK_TEXT_CHARS_MAX / unit.len());
        let parts = to_matrix_parts(&text);
        let joined: String = parts.iter().map(|part| part.body.as_str()).collect();
        assert_eq!(joined.replace('\n', ""), text.replace('\n', ""));
        for part in parts {
            assert!(part.json_bytes() <= MATRIX_TEXT_BYTES_MAX);
        }
    }
}

#[test]
fn debug_shows_no_text() {
    let debug = format!("{:?} {:?}", to_matrix("*hush*"), to_network("hush", None));
    assert!(!debug.contains("hush"), "{debug}");
}

/// Words without markers, as people write them.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9]{1,8}",
        "[a-z]{1,4}_[a-z]{1,4}",
        Just("https://x.org/_a_b_c".to_owned()),
        Just("שלום".to_owned()),
        Just("👩‍👩‍👧".to_owned()),
        Just("e\u{301}te\u{301}".to_owned()),
        Just("<b>&amp;".to_owned()),
        Just("x,".to_owned()),
    ]
}

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(word(), 1..4).prop_map(|words| words.join(" "))
}

/// A stretch of a line in the order in which [`super::run::nest`] nests styles.
fn span() -> impl Strategy<Value = String> {
    let italic = prop_oneof![words(), words().prop_map(|it| format!("_{it}_"))];
    prop_oneof![
        3 => words(),
        1 => words().prop_map(|it| format!("`{it}`")),
        1 => words().prop_map(|it| format!("~{it}~")),
        1 => words().prop_map(|it| format!("_{it}_")),
        1 => prop::collection::vec(italic, 1..4).prop_map(|parts| format!("*{}*", parts.join(" "))),
    ]
}

fn line() -> impl Strategy<Value = String> {
    prop::collection::vec(span(), 1..5).prop_map(|spans| format!("So {}", spans.join(" ")))
}

fn blocks() -> impl Strategy<Value = String> {
    let lines = || prop::collection::vec(line(), 1..4);
    prop_oneof![
        3 => line(),
        1 => lines().prop_map(|lines| lines.iter().map(|it| format!("> {it}")).collect::<Vec<_>>().join("\n")),
        1 => lines().prop_map(|lines| lines.iter().map(|it| format!("- {it}")).collect::<Vec<_>>().join("\n")),
        1 => (0..200_u32, lines()).prop_map(|(start, lines)| {
            (start..).zip(lines).map(|(n, it)| format!("{n}. {it}")).collect::<Vec<_>>().join("\n")
        }),
        1 => lines().prop_filter("one line has its fences on it", |it| it.len() > 1)
            .prop_map(|lines| format!("```\n{}\n```", lines.join("\n"))),
        1 => line().prop_map(|it| format!("```{}```", it.replace('`', ""))),
    ]
}

fn document() -> impl Strategy<Value = String> {
    prop::collection::vec((blocks(), prop_oneof![Just("\n"), Just("\n\n"), Just("\n\n\n")]), 1..6)
        .prop_map(|blocks| {
            let text: String =
                blocks.iter().flat_map(|(block, gap)| [block.as_str(), *gap]).collect();
            text.trim_end().to_owned()
        })
}

proptest! {
    #[test]
    fn a_network_text_comes_back_unchanged(text in document()) {
        let matrix = to_matrix(&text);
        let network = to_network(&matrix.body, matrix.formatted_body.as_deref()).unwrap();
        prop_assert_eq!(&network.text, &text, "by way of {:?}", matrix.formatted_body);
        prop_assert_eq!(network.losses, vec![]);
    }

    #[test]
    fn plain_words_are_unchanged_both_ways(text in prop::collection::vec(words(), 1..5).prop_map(|it| it.join("\n"))) {
        prop_assert_eq!(to_matrix(&text).formatted_body, None);
        prop_assert_eq!(to_network(&text, None).unwrap().text, text);
    }

    #[test]
    fn no_text_is_too_strange(text in r"(?s)([*_~`>. \n\-1]|```|\PC|https://|.){0,60}") {
        let matrix = to_matrix(&text);
        prop_assert_eq!(&matrix.body, &text);
        let _ = to_network(&text, matrix.formatted_body.as_deref()).unwrap();
        for part in to_matrix_parts(&text) {
            prop_assert!(text.contains(&part.body));
        }
    }

    #[test]
    fn no_html_is_too_strange(
        html in prop::collection::vec(prop_oneof![
            r"</?(b|i|em|p|br|li|ul|ol|pre|code|table|tr|td|a|select|option|svg|math|template|form|frameset|body|html|mx-reply|blockquote|h1|span)( [a-z]{1,5}=x)?/?>",
            r"[*_~`a &;<>\n]{0,6}",
            r"\PC{0,4}",
        ], 0..40)
    ) {
        let html = html.concat();
        let _ = to_network("body", Some(&html)).unwrap();
    }

    #[test]
    fn what_is_sent_is_read_as_it_was_meant(
        words in prop::collection::vec((word(), 0..8_usize), 1..6)
    ) {
        let mut html = String::new();
        for (word, style) in &words {
            let word = word.replace('&', "&amp;").replace('<', "&lt;");
            let (open, close) = [
                ("", ""), ("<b>", "</b>"), ("<i>", "</i>"), ("<s>", "</s>"), ("<code>", "</code>"),
                ("<b><i>", "</i></b>"), ("<i><s>", "</s></i>"), ("<b><code>", "</code></b>"),
            ][*style];
            html.extend([open, &word, close, " "]);
        }
        let network = to_network("body", Some(&html)).unwrap();
        prop_assert_eq!(&network.losses, &vec![]);
        let again = to_matrix(&network.text);
        let plain = network.text.replace('&', "&amp;").replace('<', "&lt;");
        let back = to_network("body", Some(&again.formatted_body.unwrap_or(plain))).unwrap();
        prop_assert_eq!(back.text, network.text);
    }
}

/// Checks what our own users say, where ghosts have links; the empty string stands for "no formatting".
#[track_caller]
fn check_linked(text: &str, formatted: &str) {
    let linked = to_matrix_linked(text, &|user| user.localpart().starts_with("wa_"));
    assert_eq!(linked.body, text);
    assert_eq!(linked.formatted_body.unwrap_or_default(), formatted, "for {text:?}");
}

#[test]
fn what_we_say_has_links_to_ghosts_and_to_nobody_else() {
    let link = "<a href=\"https://matrix.to/#/@wa_a:x.org\">@wa_a:x.org</a>";
    for (text, formatted) in [
        ("@wa_a:x.org: paused.", format!("{link}: paused.")),
        ("*a* & @wa_a:x.org.", format!("<strong>a</strong> &amp; {link}.")),
        ("one\n@wa_a:x.org", format!("one<br>{link}")),
        ("- Anna (@wa_a:x.org) – b", format!("<ul><li>Anna ({link}) – b</li></ul>")),
        ("@wa_a:x.org and @wa_a:x.org", format!("{link} and {link}")),
        ("`block @wa_a:x.org` to", "<code>block @wa_a:x.org</code> to".to_owned()),
        ("`a` @wa_a:x.org", format!("<code>a</code> {link}")),
        ("@alice:x.org, a@wa_a:x.org", String::new()),
        ("see https://matrix.to/#/@wa_a:x.org", String::new()),
        ("@wa_a:x.org\"><b>", String::new()),
        ("*@wa_a:x.org*", format!("<strong>{link}</strong>")),
    ] {
        check_linked(text, &formatted);
    }
}

#[test]
fn a_link_that_was_typed_is_its_id() {
    let a = "<a href=\"https://matrix.to/#/%40wa_a%3Ax.org\">Anna</a>";
    for (formatted, expected) in [
        (format!("pause {a}"), "pause @wa_a:x.org"),
        (format!("<p>verify {a} <b>yes</b></p>"), "verify @wa_a:x.org yes"),
        (format!("<mx-reply>{a}</mx-reply>pause"), "the body"),
        (
            "pause <a href=\"matrix:roomid/abc:x.org?via=x.org\">Chat</a>".to_owned(),
            "pause !abc:x.org",
        ),
        ("pause <a href=\"https://x.org\">Anna</a>".to_owned(), "the body"),
        ("<b>status</b>".to_owned(), "the body"),
        (format!("{a}{}", "<b>".repeat(html::TAGS_MAX)), "the body"),
    ] {
        assert_eq!(typed("the body", Some(&formatted)), expected, "{formatted}");
    }
    assert_eq!(typed("the body", None), "the body");
}

#[test]
fn a_link_leads_to_a_user_or_a_room() {
    for (link, expected) in [
        ("https://matrix.to/#/@a:x.org", Some("@a:x.org")),
        ("https://matrix.to/#/!r:x.org/$e?via=x.org", Some("!r:x.org")),
        ("https://matrix.to/#/%23r:x.org", Some("#r:x.org")),
        ("matrix:u/a:x.org", Some("@a:x.org")),
        ("@a:x.org", None),
        ("https://x.org", None),
    ] {
        assert_eq!(link_target(link).as_deref(), expected, "{link}");
    }
}
