//! The memory of another process.

use std::{collections::BTreeMap, env, fs, fs::File, os::unix::fs::FileExt as _, thread, time::Duration};

use crate::needles::Needles;

/// Length of the parts to search for. Eight bytes of a secret do not occur by chance.
pub const PART: usize = 8;

/// The overlap of two chunks, so that nothing is missed between them.
const OVERLAP: usize = 256;
const CHUNK: usize = 1 << 20;

fn all_threads_sleep(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("the threads");
    // A thread that has just ended has no state.
    threads
        .flatten()
        .all(|thread| fs::read_to_string(thread.path().join("stat")).map_or(true, |stat| stat.contains(") S ")))
}

/// Returns the findings: the secret, the place, the largest number of consecutive bytes, and the number of findings.
pub fn search(process: u32, needles: &Needles) -> Vec<(String, &'static str, usize, usize)> {
    // The process has written its line, but its threads may not be waiting yet.
    while !all_threads_sleep(process) {
        thread::sleep(Duration::from_millis(1));
    }
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("the mappings");
    let memory = File::open(format!("/proc/{process}/mem")).expect("the memory");
    let mut found: BTreeMap<(String, &str), (usize, usize)> = BTreeMap::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, mode) = (fields.next().expect("a range"), fields.next().expect("a mode"));
        let name = fields.nth(3).unwrap_or_default();
        if !mode.starts_with("rw") || name.starts_with("[v") {
            continue;
        }
        let (start, end) = range.split_once('-').expect("a range");
        let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).expect("an address"));
        let place = match name {
            "[heap]" => "heap",
            "[stack]" => "stack",
            "" => "memory of threads",
            _ => "static memory",
        };
        let mut at = start;
        while at < end {
            let mut bytes = vec![0; (end - at).min(CHUNK + OVERLAP)];
            memory.read_exact_at(&mut bytes, at as u64).unwrap_or_else(|error| panic!("{line}: {error}"));
            for (secret, offset, len) in needles.find_in(&bytes) {
                // A finding that begins in the overlap belongs to the next chunk.
                if offset < CHUNK {
                    let (longest, copies) = found.entry((secret.into(), place)).or_default();
                    (*longest, *copies) = ((*longest).max(len), *copies + 1);
                    if env::var_os("TRACES_SHOW").is_some() {
                        let (before, rest) = bytes.split_at(offset);
                        let (own, after) = rest.split_at(len);
                        let (before, after) =
                            (&before[before.len().saturating_sub(96)..], &after[..after.len().min(64)]);
                        let [before, own, after] = [before, own, after].map(|part| part.escape_ascii());
                        eprintln!("{secret} {place} {:x} {len}: {before} >>{own}<< {after}", at + offset);
                    }
                }
            }
            at += CHUNK;
        }
    }
    found.into_iter().map(|((secret, place), (longest, copies))| (secret, place, longest, copies)).collect()
}
