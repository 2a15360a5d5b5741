//! For tests: what a document of the repository says is what the code says.

use std::path::Path;

/// Compares what stands in a document between `<!-- {name} -->` and `<!-- end of {…} -->` with a text;
/// `CAUSEWAY_BLESS=1` writes the text there instead.
#[track_caller]
pub(crate) fn check(document: &str, start: &str, end: &str, expected: &str) {
    let (start, end) = (format!("<!-- {start} -->\n"), format!("<!-- {end} -->\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&start).unwrap();
    let (found, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("CAUSEWAY_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{start}{expected}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(found, expected, "{document} is out of date: run with CAUSEWAY_BLESS=1");
}
