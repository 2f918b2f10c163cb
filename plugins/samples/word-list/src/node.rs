//! A prefix tree of bytes in one slice, so that it can be a constant.

/// A node: its siblings follow it, its children are together elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The byte that leads here.
    pub(crate) label: u8,
    /// An entry ends here.
    pub(crate) ends: bool,
    /// No sibling follows.
    pub(crate) last: bool,
    /// Where the children begin; 0, which is the root, for none.
    pub(crate) children: u32,
}

/// The tree of some entries; the root is the first node.
pub(crate) fn tree(mut entries: Vec<String>) -> Vec<Node> {
    entries.sort_unstable();
    entries.dedup();
    let mut nodes = vec![Node { label: 0, ends: false, last: true, children: 0 }];
    // Each node's entries: those that begin alike, which are neighbours.
    let mut ranges = vec![(0..entries.len(), 0)];
    let mut at = 0;
    while at < nodes.len() {
        let (range, depth) = ranges[at].clone();
        let label = |entry: usize| entries[entry].as_bytes().get(depth).copied();
        let mut from = range.start;
        while from < range.end {
            let Some(byte) = label(from) else {
                // The shortest entry comes first and is the node's own.
                nodes[at].ends = true;
                from += 1;
                continue;
            };
            let to = (from..range.end).find(|&entry| label(entry) != Some(byte));
            let to = to.unwrap_or(range.end);
            if nodes[at].children == 0 {
                nodes[at].children = nodes.len() as u32;
            }
            nodes.push(Node { label: byte, ends: false, last: to == range.end, children: 0 });
            ranges.push((from..to, depth + 1));
            from = to;
        }
        at += 1;
    }
    nodes
}
