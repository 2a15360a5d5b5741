//! HTML parsed by `html5ever` into a flat tree: nodes in one vector, named by index.
//!
//! Flat because the HTML comes from strangers. A tree of owned nodes is freed by recursion: 24 KB
//! of `<b>` in `ruma-html` 0.8 abort a debug build on a stack of 2 MiB, the size that worker
//! threads have.

use std::{
    borrow::Cow,
    cell::{Ref, RefCell},
};

use html5ever::{
    Attribute, ParseOpts, QualName,
    interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
    local_name, ns, parse_fragment,
    tendril::{StrTendril, TendrilSink},
};

/// How deep elements count: the depth that the specification recommends (client-server API,
/// "`m.room.message` msgtypes").
pub(super) const DEPTH_MAX: usize = 100;
/// How many tags HTML may have. A text of the size of an event has fewer unless it was made to cost
/// time.
pub(super) const TAGS_MAX: usize = 8_192;

/// A parsed fragment.
#[derive(Debug)]
pub(super) struct Html {
    nodes: Vec<Node>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Text(StrTendril),
    Element(QualName, Vec<Attribute>),
    /// The document, a comment, an instruction.
    Other,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    parent: Option<usize>,
    children: Vec<usize>,
}

/// A node of a fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeRef<'a> {
    html: &'a Html,
    index: usize,
}

/// Whether HTML is worth parsing: what exceeds [`TAGS_MAX`] is made to cost time.
pub(super) fn is_bounded(html: &str) -> bool {
    html.bytes().filter(|&byte| byte == b'<').count() <= TAGS_MAX
}

/// Parses a fragment. There is no malformed HTML.
pub(super) fn parse(html: &str) -> Html {
    let context = QualName::new(None, ns!(html), local_name!("div"));
    let mut parser =
        parse_fragment(Sink::default(), ParseOpts::default(), context, Vec::new(), false);
    parser.process(html.into());
    parser.finish()
}

impl Html {
    pub(super) fn root(&self) -> NodeRef<'_> {
        NodeRef { html: self, index: 0 }
    }
}

impl<'a> NodeRef<'a> {
    pub(super) fn children(self) -> impl Iterator<Item = Self> + 'a {
        let html = self.html;
        html.nodes[self.index].children.iter().map(move |&index| Self { html, index })
    }

    pub(super) fn kind(self) -> &'a Kind {
        &self.html.nodes[self.index].kind
    }

    /// The element's name, or nothing for other nodes.
    pub(super) fn name(self) -> &'a str {
        match self.kind() {
            Kind::Element(name, _) => &name.local,
            Kind::Text(_) | Kind::Other => "",
        }
    }

    pub(super) fn attribute(self, name: &str) -> Option<&'a str> {
        match self.kind() {
            Kind::Element(_, attributes) => {
                attributes.iter().find(|it| &*it.name.local == name).map(|it| &*it.value)
            }
            Kind::Text(_) | Kind::Other => None,
        }
    }

    /// All text below, in order. Does not recurse.
    pub(super) fn text(self) -> String {
        let mut text = String::new();
        let mut open = vec![self.index];
        while let Some(index) = open.pop() {
            let node = &self.html.nodes[index];
            if let Kind::Text(piece) = &node.kind {
                text.push_str(piece);
            }
            open.extend(node.children.iter().rev());
        }
        text
    }
}

/// Builds the tree for the parser, which holds the sink by shared reference.
#[derive(Debug)]
struct Sink {
    nodes: RefCell<Vec<Node>>,
}

impl Default for Sink {
    fn default() -> Self {
        let document = Node { kind: Kind::Other, parent: None, children: Vec::new() };
        Self { nodes: RefCell::new(vec![document]) }
    }
}

impl Sink {
    fn add(&self, kind: Kind) -> usize {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { kind, parent: None, children: Vec::new() });
        nodes.len() - 1
    }

    fn detach(&self, child: usize) {
        let nodes = &mut *self.nodes.borrow_mut();
        if let Some(parent) = nodes[child].parent.take() {
            nodes[parent].children.retain(|&it| it != child);
        }
    }

    /// Inserts before the child at `position`; text joins the text before it.
    fn insert(&self, parent: usize, position: usize, child: NodeOrText<usize>) {
        let child = match child {
            NodeOrText::AppendNode(child) => child,
            NodeOrText::AppendText(text) => {
                let nodes = &mut *self.nodes.borrow_mut();
                let before = position.checked_sub(1).map(|at| nodes[parent].children[at]);
                if let Some(before) = before
                    && let Kind::Text(earlier) = &mut nodes[before].kind
                {
                    earlier.push_tendril(&text);
                    return;
                }
                nodes.push(Node { kind: Kind::Text(text), parent: None, children: Vec::new() });
                nodes.len() - 1
            }
        };
        let nodes = &mut *self.nodes.borrow_mut();
        nodes[child].parent = Some(parent);
        nodes[parent].children.insert(position, child);
    }
}

impl TreeSink for Sink {
    type Handle = usize;
    type Output = Html;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Html {
        Html { nodes: self.nodes.into_inner() }
    }

    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> usize {
        0
    }

    fn elem_name<'a>(&'a self, target: &'a usize) -> Self::ElemName<'a> {
        Ref::map(self.nodes.borrow(), |nodes| match &nodes[*target].kind {
            Kind::Element(name, _) => name,
            Kind::Text(_) | Kind::Other => unreachable!("the parser asks elements for their name"),
        })
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, _: ElementFlags) -> usize {
        self.add(Kind::Element(name, attrs))
    }

    fn create_comment(&self, _text: StrTendril) -> usize {
        self.add(Kind::Other)
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> usize {
        self.add(Kind::Other)
    }

    fn append(&self, parent: &usize, child: NodeOrText<usize>) {
        if let NodeOrText::AppendNode(child) = child {
            self.detach(child);
        }
        let position = self.nodes.borrow()[*parent].children.len();
        self.insert(*parent, position, child);
    }

    fn append_based_on_parent_node(
        &self,
        element: &usize,
        prev_element: &usize,
        child: NodeOrText<usize>,
    ) {
        if self.nodes.borrow()[*element].parent.is_some() {
            self.append_before_sibling(element, child);
        } else {
            self.append(prev_element, child);
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &usize) -> usize {
        *target
    }

    fn same_node(&self, x: &usize, y: &usize) -> bool {
        x == y
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &usize, new_node: NodeOrText<usize>) {
        if let NodeOrText::AppendNode(child) = new_node {
            self.detach(child);
        }
        let place = {
            let nodes = self.nodes.borrow();
            nodes[*sibling].parent.and_then(|parent| {
                let position = nodes[parent].children.iter().position(|it| it == sibling)?;
                Some((parent, position))
            })
        };
        if let Some((parent, position)) = place {
            self.insert(parent, position, new_node);
        }
    }

    fn add_attrs_if_missing(&self, target: &usize, attrs: Vec<Attribute>) {
        if let Kind::Element(_, own) = &mut self.nodes.borrow_mut()[*target].kind {
            for attribute in attrs {
                if own.iter().all(|it| it.name != attribute.name) {
                    own.push(attribute);
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &usize) {
        self.detach(*target);
    }

    fn reparent_children(&self, node: &usize, new_parent: &usize) {
        let nodes = &mut *self.nodes.borrow_mut();
        let children = std::mem::take(&mut nodes[*node].children);
        for &child in &children {
            nodes[child].parent = Some(*new_parent);
        }
        nodes[*new_parent].children.extend(children);
    }
}
