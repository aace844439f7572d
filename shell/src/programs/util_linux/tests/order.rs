//! What the real programs print, but for what depends on the ids that the real kernel gives to mounts.

/// Whether a command printed the same, but for the order of mounts that are mounted on the same one. libmount takes those by
/// their ids, and the kernel gives an id anew that anyone on the machine gives back meanwhile.
pub(super) fn is_same_in_any_order(found: &str, expected: &str) -> bool {
    found == expected || (shows_children(expected) && in_no_order(found) == in_no_order(expected))
}

/// Whether a command goes through mounts from parents to children.
fn shows_children(block: &str) -> bool {
    let mut words = block.lines().next().unwrap_or_default().split(' ');
    match words.next() {
        Some("findmnt") => true,
        Some("umount") => words.any(|word| {
            let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
            word == "--recursive" || letters.is_some_and(|letters| letters.contains('R'))
        }),
        _ => false,
    }
}

/// The lines without the lines of the tree, sorted.
fn in_no_order(block: &str) -> Vec<String> {
    let mut lines: Vec<String> = block.lines().map(|line| line.replace(['|', '`', '-', ' '], "")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn only_the_order_of_mounts_on_the_same_one_may_differ() {
    let tree = |command: &str, lines: &[&str]| format!("{command}\n|{}\n", lines.join("\n|"));
    let expected = ["/mnt    base", "|-/mnt/a    a", "| `-/mnt/a/z z", "`-/mnt/b    b"];
    let reordered = ["/mnt    base", "|-/mnt/b    b", "`-/mnt/a    a", "  `-/mnt/a/z z"];
    let other = ["/mnt    base", "|-/mnt/b    b", "`-/mnt/a    c", "  `-/mnt/a/z z"];
    let is_same = |command, found| is_same_in_any_order(&tree(command, found), &tree(command, &expected));
    assert!(is_same("findmnt -R /mnt", &reordered) && is_same("umount -v -lR /mnt", &reordered));
    assert!(!is_same("findmnt -R /mnt", &other) && !is_same("findmnt -R /mnt", &reordered[1..]));
    assert!(!is_same("umount -v /mnt", &reordered) && !is_same("mount", &reordered));
}
