//! The shape of the code: the tables of ARCHITECTURE.md, the size of files, one Matrix stack.
//!
//! Rules that are not run are wishes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Production lines of a file, tests not counted.
const FILE_LINES_MAX: usize = 600;

const MODULES: [&str; 13] = [
    "signal",
    "domain",
    "port",
    "interop",
    "matrix",
    "storage",
    "hosting",
    "runtime",
    "command",
    "http",
    "config",
    "telemetry",
    "cli",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether a file holds tests only.
fn is_test(file: &Path) -> bool {
    file.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// The rows of the table of ARCHITECTURE.md with this heading: first cell → names in the last.
fn table(heading: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    text.lines()
        .skip_while(|line| !line.starts_with(&format!("| {heading} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            let first = cells[0].trim().trim_matches('`').to_owned();
            (first, names(cells[cells.len() - 1]))
        })
        .collect()
}

/// The module of `src/` that a file belongs to; `None` for the roots.
fn module_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let first = inside.iter().next()?.to_str()?.trim_end_matches(".rs").to_owned();
    MODULES.contains(&first.as_str()).then_some(first)
}

/// A file's code without comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that code names: `crate::a`, `crate::{a, b::…}`.
fn modules_named(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let firsts = match rest.strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![leading_name(rest)],
        };
        named.extend(firsts.into_iter().filter(|name| MODULES.contains(&name.as_str())));
    }
    named
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first name of each entry of a `use` group.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_start) = (0_usize, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && c.is_alphabetic() => {
                names.push(leading_name(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn modules_know_only_what_the_table_names() {
    let table = table("module");
    assert_eq!(table.keys().map(String::as_str).collect::<BTreeSet<_>>(), MODULES.into());
    let mut broken = Vec::new();
    for file in rust_files(&root().join("src")) {
        let Some(module) = module_of(&file) else { continue };
        for named in modules_named(&code(&file)) {
            if named != module && !table[&module].contains(&named) {
                broken.push(format!("{} names {named}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "the table of ARCHITECTURE.md forbids:\n{}", broken.join("\n"));
}

#[test]
fn libraries_stay_where_they_belong() {
    let table = table("library");
    assert!(table.len() >= 8, "the table of libraries was not found");
    let mut broken = Vec::new();
    for file in rust_files(&root().join("src")).into_iter().filter(|file| !is_test(file)) {
        let module = module_of(&file).unwrap_or_default();
        let code = code(&file);
        for (library, places) in &table {
            if code.contains(&format!("{library}::")) && !places.contains(&module) {
                broken.push(format!("{} uses {library}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "the table of ARCHITECTURE.md forbids:\n{}", broken.join("\n"));
}

#[test]
fn the_rules_can_be_broken() {
    let code =
        "use crate::{\n    storage::{Row, port::X},\n    domain,\n};\nlet a = crate::http::b();";
    let expected = ["storage", "domain", "http"].map(str::to_owned);
    assert_eq!(modules_named(code), expected.into());
}

#[test]
fn no_file_is_too_full_to_live_in() {
    let files = ["src", "crates"].iter().flat_map(|folder| rust_files(&root().join(folder)));
    let full: Vec<String> = files
        .filter(|file| !is_test(file))
        .filter_map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
            (lines > FILE_LINES_MAX).then(|| format!("{}: {lines}", file.display()))
        })
        .collect();
    assert!(full.is_empty(), "over {FILE_LINES_MAX} lines:\n{}", full.join("\n"));
}

#[test]
fn there_is_one_matrix_stack() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for name in ["ruma", "vodozemac", "matrix-sdk-crypto", "wacore-libsignal"] {
        let count = lock.matches(&format!("name = \"{name}\"\n")).count();
        assert_eq!(count, 1, "{name} is in Cargo.lock {count} times");
    }
}

#[test]
fn the_bridge_and_the_emulator_share_the_wire_alone() {
    let emulator = root().join("crates/emulator");
    for file in rust_files(&emulator.join("src")) {
        assert!(!code(&file).contains("causeway::"), "{} names the bridge", file.display());
    }
    for file in rust_files(&root().join("src")) {
        assert!(!code(&file).contains("causeway_emulator"), "{} names it", file.display());
    }
}

/// Which of several things that are ready comes first must not be thrown with dice that no seed holds: the
/// simulation (`tests/sim/`) repeats a run exactly.
#[test]
fn the_runtime_says_which_branch_comes_first() {
    for file in rust_files(&root().join("src/runtime")) {
        let code = code(&file);
        for choice in code.split("tokio::select!").skip(1) {
            let body = choice.trim_start().trim_start_matches('{').trim_start();
            assert!(body.starts_with("biased;"), "{}: a select! without `biased`", file.display());
        }
    }
}
