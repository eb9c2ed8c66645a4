//! Neighbours on the same network, by multicast DNS.
//!
//! What is it: announces what listens here under a name that says nothing about anybody, and
//! yields the ways of others who do the same. Who calls it: the node's driver. What can go wrong:
//! no multicast here (then nobody is found, and `next` waits); strangers announce nonsense, which
//! is dropped, or addresses that are not theirs, which costs one dial.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use mdns_sd::{
    IfKind, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo,
};
use packmule_bus::link::{BoxFut, OpenError, Scout, Way};
use uuid::Uuid;

use crate::way;

/// The service's type (RFC 6763): DIDComm over TCP.
const SERVICE: &str = "_didcomm._tcp.local.";

/// The one TXT entry: our framing, version 1.
const TXT: (&str, &str) = ("pm", "1");

/// Ways of one neighbour that are passed on: two networks with both kinds of addresses.
const MAX_WAYS: usize = 8;

pub(crate) struct Neighbours(Result<Looking, String>);

struct Looking {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
    /// Our own names: never ourselves.
    ours: BTreeSet<String>,
    found: VecDeque<Way>,
}

impl Neighbours {
    pub(crate) fn new(ours: &[Way]) -> Self {
        Self(Looking::start(ours).map_err(|fault| fault.to_string()))
    }
}

impl Scout for Neighbours {
    fn next(&mut self) -> BoxFut<'_, Result<Way, OpenError>> {
        Box::pin(async {
            let looking = match &mut self.0 {
                Ok(looking) => looking,
                Err(fault) => {
                    let text = format!("neighbours cannot be looked for: {fault}");
                    return Err(OpenError::Unavailable(text));
                }
            };
            loop {
                if let Some(way) = looking.found.pop_front() {
                    return Ok(way);
                }
                match looking.events.recv_async().await {
                    Ok(ServiceEvent::ServiceResolved(service)) => looking.meet(&service),
                    Ok(_) => {}
                    Err(_) => {
                        let text = "the search for neighbours has ended".to_owned();
                        return Err(OpenError::Unavailable(text));
                    }
                }
            }
        })
    }
}

impl Looking {
    fn start(ways: &[Way]) -> Result<Self, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        let mut ours = BTreeSet::new();
        for (port, host) in doors(ways) {
            let service = announcement(port, host)?;
            ours.insert(service.get_fullname().to_ascii_lowercase());
            daemon.register(service)?;
        }
        let events = daemon.browse(SERVICE)?;
        Ok(Self {
            daemon,
            events,
            ours,
            found: VecDeque::new(),
        })
    }

    fn meet(&mut self, service: &ResolvedService) {
        let kin = service.get_property_val_str(TXT.0) == Some(TXT.1);
        let us = self.ours.contains(&service.fullname.to_ascii_lowercase());
        if !kin || us || service.port == 0 {
            return;
        }
        let mut addresses: Vec<&ScopedIp> =
            service.addresses.iter().filter(|a| usable(a)).collect();
        addresses.sort_by_key(|address| (rank(address.to_ip_addr()), address.to_string()));
        for address in addresses.into_iter().take(MAX_WAYS) {
            let way = match address {
                ScopedIp::V4(_) => format!("tcp://{address}:{}", service.port),
                _ => format!("tcp://[{address}]:{}", service.port),
            };
            self.found.extend(Way::parse(&way));
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        // Says goodbye, so that others forget us at once; nobody waits for it.
        let _ = self.daemon.shutdown();
    }
}

/// Each port that listens here, with the address if it is one only.
fn doors(ways: &[Way]) -> BTreeSet<(u16, Option<IpAddr>)> {
    ways.iter()
        .filter_map(|way| {
            let (host, port) = way::read(way).ok()?;
            let address: IpAddr = host.parse().ok()?;
            Some((port, (!address.is_unspecified()).then_some(address)))
        })
        .collect()
}

/// A name that is new for each process, and nothing else.
fn announcement(port: u16, host: Option<IpAddr>) -> Result<ServiceInfo, mdns_sd::Error> {
    let name = Uuid::new_v4().simple().to_string();
    let host_name = format!("{name}.local.");
    let txt = &[TXT][..];
    match host {
        Some(address) => {
            let mut service = ServiceInfo::new(SERVICE, &name, &host_name, address, port, txt)?;
            service.set_interfaces(vec![IfKind::Addr(address)]);
            Ok(service)
        }
        None => Ok(ServiceInfo::new(SERVICE, &name, &host_name, "", port, txt)?.enable_addr_auto()),
    }
}

/// An address of this machine is believed only if it was heard inside this machine.
fn usable(address: &ScopedIp) -> bool {
    let ip = address.to_ip_addr();
    if ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    !ip.is_loopback() || heard_inside(address)
}

fn heard_inside(address: &ScopedIp) -> bool {
    match address {
        ScopedIp::V4(v4) => {
            let heard = v4.interface_ids();
            !heard.is_empty() && heard.iter().all(|id| id.name == "lo")
        }
        ScopedIp::V6(v6) => v6.scope_id().name == "lo",
        _ => false,
    }
}

/// Plain addresses before those that need an interface's name.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 0,
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => 1,
        IpAddr::V6(_) => 2,
    }
}
