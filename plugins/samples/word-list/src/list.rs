use std::borrow::Cow;

use crate::node::{Node, tree};
use crate::tables::NODES;

/// Entries to look for.
#[derive(Debug)]
pub(crate) struct List {
    nodes: Cow<'static, [Node]>,
    /// The root's child for every byte, 0 for none.
    first: [u32; 256],
}

impl List {
    /// The default list.
    pub(crate) fn published() -> Self {
        Self::of(NODES.into())
    }

    /// A user's own, of normalised entries.
    pub(crate) fn own(entries: Vec<String>) -> Self {
        Self::of(tree(entries).into())
    }

    fn of(nodes: Cow<'static, [Node]>) -> Self {
        let mut list = Self { nodes, first: [0; 256] };
        let mut child = list.nodes[0].children;
        while child != 0 {
            let Node { label, last, .. } = list.nodes[child as usize];
            list.first[usize::from(label)] = child;
            child = if last { 0 } else { child + 1 };
        }
        list
    }

    /// Takes out a normalised entry; false if it was not there.
    pub(crate) fn remove(&mut self, entry: &str) -> bool {
        let node = entry.bytes().try_fold(0, |node, label| self.child(node, label));
        match node {
            Some(node) if self.ends(node) => {
                self.nodes.to_mut()[node as usize].ends = false;
                true
            }
            _ => false,
        }
    }

    /// Whether an entry ends at a node.
    pub(crate) fn ends(&self, node: u32) -> bool {
        self.nodes[node as usize].ends
    }

    /// Whether an entry begins with a byte.
    pub(crate) fn begins(&self, label: u8) -> bool {
        self.first[usize::from(label)] != 0
    }

    /// The node that a byte leads to.
    pub(crate) fn child(&self, node: u32, label: u8) -> Option<u32> {
        match node {
            0 => Some(self.first[usize::from(label)]).filter(|&child| child != 0),
            _ => self.among_children(node, label),
        }
    }

    fn among_children(&self, node: u32, label: u8) -> Option<u32> {
        let mut at = self.nodes[node as usize].children;
        while at != 0 {
            let child = self.nodes[at as usize];
            if child.label == label {
                return Some(at);
            }
            at = if child.last { 0 } else { at + 1 };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_and_taken_out() {
        let entries = ["blorp", "blorp zaff", "blo", "zaff"];
        let mut list = List::own(entries.map(String::from).to_vec());
        let find = |list: &List, entry: &str| {
            let node = entry.bytes().try_fold(0, |node, label| list.child(node, label));
            node.is_some_and(|node| list.ends(node))
        };
        assert!(entries.iter().all(|entry| find(&list, entry)));
        assert!(!["", "b", "blor", "blorps", "blorp ", "aff"].iter().any(|word| find(&list, word)));
        assert!(list.remove("blorp") && !list.remove("blorp") && !list.remove("bl"));
        assert!(!find(&list, "blorp") && find(&list, "blorp zaff") && find(&list, "blo"));
    }
}
