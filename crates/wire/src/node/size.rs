//! How large a tree has grown, the same for reading and writing: a few bytes on the wire must not
//! become many in memory.

use super::{MAX_ATTRS, MAX_ATTRS_IN_ALL, MAX_CHILDREN, MAX_DEPTH, MAX_NODES, NodeError};

#[derive(Default)]
pub(super) struct Size {
    nodes: usize,
    attrs: usize,
}

impl Size {
    /// Counts a node at `depth` with `attrs` attributes.
    pub(super) fn add_node(&mut self, depth: usize, attrs: usize) -> Result<(), NodeError> {
        self.nodes += 1;
        self.attrs += attrs;
        if depth > MAX_DEPTH {
            Err(NodeError::TooDeep)
        } else if attrs > MAX_ATTRS {
            Err(NodeError::TooManyAttrs { count: attrs })
        } else if self.nodes > MAX_NODES {
            Err(NodeError::TooManyNodes)
        } else if self.attrs > MAX_ATTRS_IN_ALL {
            Err(NodeError::TooManyAttrsInAll)
        } else {
            Ok(())
        }
    }
}

/// Checks the number of a node's children.
pub(super) fn check_children(count: usize) -> Result<(), NodeError> {
    if count > MAX_CHILDREN { Err(NodeError::TooManyChildren { count }) } else { Ok(()) }
}
