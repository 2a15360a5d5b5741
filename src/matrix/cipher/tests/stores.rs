//! Key stores in memory; they outlive the cipher, as a database does.
