//! The integration tests, in one binary: linking the Matrix part is slow.

mod signal_oracle;
