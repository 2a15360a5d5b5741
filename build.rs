//! Makes Cargo notice a new migration: they are embedded at compile time by the folder's name.

#![expect(clippy::print_stdout, reason = "this is how a build script talks to Cargo")]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
