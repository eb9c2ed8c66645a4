//! What goes wrong, when its time has come.

use super::Sim;
use super::node::{Body, Dark, Node};
use crate::marks::Kind;
use crate::scenario::FaultKind;

impl Sim<'_> {
    pub(super) fn fault(&mut self, fault: usize) {
        let now = self.world.now();
        let Some(fault) = self.scenario.faults.get(fault) else {
            return;
        };
        let Some(n) = self.node_of(&fault.node) else {
            return;
        };
        self.book.fault(now, n, fault.kind.name());
        if let Some(Body::Mallory(_)) = self.nodes.get(n).map(|node| &node.body) {
            return self.mallory_acts(n, &fault.kind);
        }
        let until = |ms: u64| now + ms * 1000;
        if let FaultKind::Cut { for_ms } = &fault.kind {
            return self.cut_all(n, for_ms * 1000);
        }
        let Some(honest) = self.nodes.get_mut(n).and_then(Node::honest) else {
            return;
        };
        match &fault.kind {
            FaultKind::Crash {
                output,
                down_ms,
                unnoticed,
                silent,
            } => {
                let dark = Dark {
                    down: down_ms * 1000,
                    unnoticed: *unnoticed,
                    silent: *silent,
                };
                if honest.bus.is_some() {
                    honest.doom = Some((*output, dark));
                }
                if *output == 0 {
                    self.crash(n, dark);
                }
            }
            FaultKind::DiskFull { for_ms } => honest.disk.fill_until(until(*for_ms)),
            FaultKind::DiskError { for_ms } => honest.disk.break_until(until(*for_ms)),
            FaultKind::Yank { for_ms } => honest.disk.yank_until(until(*for_ms)),
            FaultKind::SlowDisk { for_ms, times } => {
                honest.disk.slow_until(until(*for_ms), *times);
            }
            FaultKind::ClockJump { by_s } => {
                honest.ahead_s = honest.ahead_s.saturating_add(*by_s);
                self.book.odd_clock(n);
                self.fired.hit(Kind::ClockJump);
            }
            // The rest is mallory's.
            _ => {}
        }
    }
}
