#![doc = include_str!("../README.md")]

mod frame;
mod link;
mod listener;
mod scout;
mod way;

use packmule_bus::link::{BoxFut, Listener, OpenError, Port, Probe, Role, Scout, Transport, Way};
use tokio::net::{TcpListener, TcpStream, lookup_host};

pub use frame::{FrameError, MTU, Prefix, prefix_of, read_prefix};
pub use link::FACTS;

/// Links over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Transport for Tcp {
    fn name(&self) -> &'static str {
        way::NAME
    }

    fn probe(&self) -> BoxFut<'_, Probe> {
        Box::pin(async {
            let socket = TcpListener::bind(("127.0.0.1", 0)).await;
            let ready = "sockets can be opened here";
            Probe::tried(socket, ready, "no socket can be opened here")
        })
    }

    fn open<'a>(&'a self, to: &'a Way) -> BoxFut<'a, Result<Port, OpenError>> {
        Box::pin(async move {
            let (host, port) = way::read(to)?;
            // Tries each address of the name in turn; how long each may take is the system's
            // matter (tcp_syn_retries), how long all may take the caller's.
            let stream = TcpStream::connect((host, port))
                .await
                .map_err(|fault| OpenError::NoAnswer(format!("{to}: {fault}")))?;
            Ok(Port::Link(link::link(stream, Role::Dialer, to.to_string())))
        })
    }

    fn listen<'a>(&'a self, at: &'a Way) -> BoxFut<'a, Result<Box<dyn Listener>, OpenError>> {
        Box::pin(async move {
            let (host, port) = way::read(at)?;
            let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
            let socket = TcpListener::bind(addresses.as_slice()).await?;
            let listening = listener::Listening::new(socket)?;
            Ok(Box::new(listening) as Box<dyn Listener>)
        })
    }

    fn scout(&self, ours: &[Way]) -> Option<Box<dyn Scout>> {
        Some(Box::new(scout::Neighbours::new(ours)))
    }
}
