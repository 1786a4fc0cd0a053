//! The Merkle tree of the custody log: RFC 6962, 2.1, over SHA-256. Hashes come in through a reader, so that the same functions
//! serve a log of ten million entries on disk and a tree of five in a test.

use crate::model::digest;

/// SHA-256 of a leaf or a node.
pub type Hash = [u8; 32];

/// The most hashes that a proof can have (a tree of 2^63 leaves).
pub const PROOF_HASHES_MAX: usize = 63;

/// The root of a tree without leaves.
pub fn empty() -> Hash {
    digest::sha256_raw(&[])
}

/// The hash of an entry: SHA-256(0x00 ‖ entry).
pub fn leaf(entry: &[u8]) -> Hash {
    digest::sha256_raw(&[&[0], entry])
}

/// The hash of two subtrees: SHA-256(0x01 ‖ left ‖ right).
pub fn node(left: &Hash, right: &Hash) -> Hash {
    digest::sha256_raw(&[&[1], left, right])
}

/// Where hashes come from: the root of the perfect subtree of 2^`level` leaves that begins at leaf `index` × 2^`level`.
pub trait Subtrees {
    /// Why one cannot be had.
    type Error;
    /// One of them.
    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The largest power of two below `n`, for `n` above 1.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn range<S: Subtrees>(from: &mut S, begin: u64, end: u64) -> Result<Hash, S::Error> {
    let n = end - begin;
    if n.is_power_of_two() {
        return from.subtree(n.trailing_zeros(), begin / n);
    }
    let middle = begin + split(n);
    Ok(node(&range(from, begin, middle)?, &range(from, middle, end)?))
}

/// The root of the first `size` leaves.
pub fn root<S: Subtrees>(from: &mut S, size: u64) -> Result<Hash, S::Error> {
    if size == 0 { Ok(empty()) } else { range(from, 0, size) }
}

/// The proof that leaf `index` is in the tree of `size` leaves; `index` below `size`.
pub fn inclusion<S: Subtrees>(from: &mut S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let (mut begin, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - begin > 1 {
        let middle = begin + split(end - begin);
        if index < middle {
            proof.push(range(from, middle, end)?);
            end = middle;
        } else {
            proof.push(range(from, begin, middle)?);
            begin = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `old` leaves is the beginning of that of `size`; `old` at most `size`.
pub fn consistency<S: Subtrees>(from: &mut S, old: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let mut proof = Vec::new();
    if old == 0 || old == size {
        return Ok(proof);
    }
    let (mut begin, mut end, mut whole) = (0, size, true);
    while old != end {
        let middle = begin + split(end - begin);
        if old <= middle {
            proof.push(range(from, middle, end)?);
            end = middle;
        } else {
            proof.push(range(from, begin, middle)?);
            begin = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(range(from, begin, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether the proof shows this leaf at `index` under `root` (RFC 9162, 2.1.3.2).
pub fn is_included(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that `old_root` of `old` leaves is the beginning of `root` of `size` (RFC 9162, 2.1.4.2).
pub fn is_consistent(old: u64, old_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if old > size {
        return false;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty();
    }
    if old == size {
        return proof.is_empty() && old_root == root;
    }
    let (mut at, mut last) = (old - 1, size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    // A tree that is a perfect subtree of the new one needs no hash for itself.
    let mut hashes = proof.iter();
    let Some(first) = (if at == 0 { Some(old_root) } else { hashes.next() }) else { return false };
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            of_old = node(hash, &of_old);
            of_new = node(hash, &of_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            of_new = node(&of_new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == *old_root && of_new == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::convert::Infallible;

    struct Leaves(Vec<Hash>);

    impl Subtrees for Leaves {
        type Error = Infallible;
        fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Infallible> {
            let n = 1_usize << level;
            Ok(defined(&self.0[index as usize * n..][..n]))
        }
    }

    /// The definition of RFC 6962, 2.1, as it stands there.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => empty(),
            1 => leaves[0],
            n => {
                let k = split(n as u64) as usize;
                node(&defined(&leaves[..k]), &defined(&leaves[k..]))
            }
        }
    }

    fn leaves(n: u64) -> Leaves {
        Leaves((0..n).map(|i| leaf(&i.to_be_bytes())).collect())
    }

    #[test]
    fn the_roots_are_those_of_the_public_test_vectors() {
        // Of the reference implementation of Certificate Transparency: inputs "", 00, 10, 2021, 3031, …
        let inputs: [&[u8]; 4] = [&[], &[0], &[0x10], &[0x20, 0x21]];
        let mut tree = Leaves(inputs.iter().map(|i| leaf(i)).collect());
        assert_eq!(digest::hex(&root(&mut tree, 0).unwrap()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest::hex(&root(&mut tree, 1).unwrap()), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        assert_eq!(digest::hex(&root(&mut tree, 2).unwrap()), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        assert_eq!(digest::hex(&root(&mut tree, 4).unwrap()), "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    }

    proptest! {
        #[test]
        fn every_entry_is_proved_and_nothing_else(size in 1_u64..300, pick in any::<u64>(), other in any::<u64>()) {
            let mut tree = leaves(size);
            let index = pick % size;
            let root = root(&mut tree, size).unwrap();
            prop_assert_eq!(root, defined(&tree.0));
            let proof = inclusion(&mut tree, index, size).unwrap();
            let of = |i: u64| leaf(&i.to_be_bytes());
            prop_assert!(is_included(&of(index), index, size, &proof, &root));
            let other = other % (size + 5);
            if other != index {
                prop_assert!(!is_included(&of(index), other, size, &proof, &root));
                prop_assert!(!is_included(&of(other), index, size, &proof, &root));
            }
            if !proof.is_empty() {
                prop_assert!(!is_included(&of(index), index, size, &proof[1..], &root));
                let mut bent = proof.clone();
                bent[other as usize % proof.len()][3] ^= 1;
                prop_assert!(!is_included(&of(index), index, size, &bent, &root));
            }
        }

        #[test]
        fn a_log_that_only_grew_is_consistent_and_a_changed_one_is_not(size in 1_u64..300, pick in any::<u64>(), bend in any::<u64>()) {
            let mut tree = leaves(size);
            let old = pick % (size + 1);
            let (before, now) = (root(&mut tree, old).unwrap(), root(&mut tree, size).unwrap());
            let proof = consistency(&mut tree, old, size).unwrap();
            prop_assert!(is_consistent(old, &before, size, &now, &proof));
            prop_assert!(old == 0 || !is_consistent(old, &before, size, &leaf(b"another"), &proof));
            if old > 0 {
                let mut changed = leaves(size);
                changed.0[(bend % old) as usize] = leaf(b"changed");
                let (now, proof) = (root(&mut changed, size).unwrap(), consistency(&mut changed, old, size).unwrap());
                prop_assert!(!is_consistent(old, &before, size, &now, &proof));
            }
        }
    }
}
