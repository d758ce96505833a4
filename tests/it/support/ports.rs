//! Free ports that two tests, or two test processes, never get at once.
//!
//! Asking the kernel for port 0 and closing it again is a race: the next outgoing connection of anybody may be given the same
//! number. So ports come from below the ephemeral ranges of Linux (32768) and macOS (49152), each held by a locked file until
//! this process ends; the lock dies with the process, however it dies.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use super::machine;

const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Where to look next, and the locks of the ports already given.
static GIVEN: Mutex<(Option<u16>, Vec<File>)> = Mutex::new((None, Vec::new()));

/// A TCP port on 127.0.0.1 that nobody listens on and that this process keeps for itself until it ends.
pub(crate) fn free_port() -> u16 {
    let folder = machine::temp_root().join(format!("juscache-test-ports-{}", machine::user_id()));
    std::fs::create_dir_all(&folder).expect("a folder for the port locks");
    let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let width = u32::from(RANGE.end - RANGE.start);
    // Processes start looking far apart, so that they rarely meet at a lock.
    let start = given.0.unwrap_or_else(|| nth_port(std::process::id().wrapping_mul(61) % width));
    for step in 0..width {
        let port = nth_port((u32::from(start - RANGE.start) + step) % width);
        let Ok(lock) = File::create(folder.join(port.to_string())) else {
            continue;
        };
        if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.0 = Some(nth_port((u32::from(port - RANGE.start) + 1) % width));
            given.1.push(lock);
            return port;
        }
    }
    panic!("no free port between {} and {}", RANGE.start, RANGE.end);
}

fn nth_port(offset: u32) -> u16 {
    RANGE.start + u16::try_from(offset).expect("an offset inside the range")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn threads_never_share_a_port_and_every_port_can_be_bound() {
        let threads: Vec<_> =
            (0..8).map(|_| std::thread::spawn(|| (0..20).map(|_| free_port()).collect::<Vec<_>>())).collect();
        let ports: Vec<u16> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 160);
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}
