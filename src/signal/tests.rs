//! Two parties talk through this module alone.
