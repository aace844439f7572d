//! A test program without threads, with the output and the arguments of libtest.

use std::time::Instant;

/// The tests of a program by their names.
macro_rules! tests {
    ($($name:ident)*) => { [$((stringify!($name), $name as fn())),*] };
}

/// Runs those that the command line selects, and exits.
pub fn run(tests: &[(&str, fn())]) {
    let filter = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let listing = std::env::args().any(|argument| argument == "--list");
    let (all, start) = (tests.len(), Instant::now());
    let selected: Vec<_> =
        tests.iter().filter(|(name, _)| filter.as_ref().is_none_or(|part| name.contains(part))).collect();
    if listing {
        for (name, _) in selected {
            println!("{name}: test");
        }
        return;
    }
    // Whole lines only, as children must not have the beginning of one to print again.
    println!("\nrunning {} tests", selected.len());
    let mut failed = 0;
    for (name, test) in &selected {
        let passed = std::panic::catch_unwind(test).is_ok();
        failed += usize::from(!passed);
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    }
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        selected.len() - failed,
        all - selected.len(),
        start.elapsed().as_secs_f64(),
    );
    std::process::exit(i32::from(failed != 0));
}
