//! Makes Cargo notice a new migration: they are embedded at compile time by the folder's name.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
