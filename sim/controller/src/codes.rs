//! Numbers of the Host Controller Interface, under the names of the specification.
//!
//! Called by everything here. What can go wrong: nothing.
//!
//! Source: Bluetooth Core 5.4, Vol 1, Part F (errors); Vol 4, Part E, 7 (commands and events).

/// Why a command or a connection did not go well.
pub(crate) mod status {
    pub(crate) const SUCCESS: u8 = 0x00;
    pub(crate) const UNKNOWN_COMMAND: u8 = 0x01;
    pub(crate) const UNKNOWN_CONNECTION: u8 = 0x02;
    pub(crate) const CONNECTION_TIMEOUT: u8 = 0x08;
    pub(crate) const CONNECTION_LIMIT: u8 = 0x09;
    pub(crate) const CONNECTION_EXISTS: u8 = 0x0b;
    pub(crate) const DISALLOWED: u8 = 0x0c;
    pub(crate) const UNSUPPORTED: u8 = 0x11;
    pub(crate) const INVALID: u8 = 0x12;
    pub(crate) const ENDED_BY_US: u8 = 0x16;
    pub(crate) const UNSUPPORTED_REMOTE: u8 = 0x1a;
    pub(crate) const NOT_ESTABLISHED: u8 = 0x3e;
    pub(crate) const MEMORY: u8 = 0x07;
}

/// Commands: the group in the upper six bits.
pub(crate) mod op {
    pub(crate) const DISCONNECT: u16 = 0x0406;
    pub(crate) const READ_REMOTE_VERSION: u16 = 0x041d;
    pub(crate) const SET_EVENT_MASK: u16 = 0x0c01;
    pub(crate) const RESET: u16 = 0x0c03;
    pub(crate) const SET_FLOW_CONTROL: u16 = 0x0c31;
    pub(crate) const HOST_BUFFER_SIZE: u16 = 0x0c33;
    pub(crate) const HOST_COMPLETED_PACKETS: u16 = 0x0c35;
    pub(crate) const SET_EVENT_MASK_2: u16 = 0x0c63;
    pub(crate) const WRITE_LE_HOST_SUPPORT: u16 = 0x0c6d;
    pub(crate) const READ_VERSION: u16 = 0x1001;
    pub(crate) const READ_COMMANDS: u16 = 0x1002;
    pub(crate) const READ_FEATURES: u16 = 0x1003;
    pub(crate) const READ_BUFFER_SIZE: u16 = 0x1005;
    pub(crate) const READ_ADDRESS: u16 = 0x1009;
    pub(crate) const READ_RSSI: u16 = 0x1405;
    pub(crate) const LE_SET_EVENT_MASK: u16 = 0x2001;
    pub(crate) const LE_READ_BUFFER_SIZE: u16 = 0x2002;
    pub(crate) const LE_READ_FEATURES: u16 = 0x2003;
    pub(crate) const LE_SET_RANDOM_ADDRESS: u16 = 0x2005;
    pub(crate) const LE_SET_ADVERTISING_PARAMETERS: u16 = 0x2006;
    pub(crate) const LE_READ_ADVERTISING_POWER: u16 = 0x2007;
    pub(crate) const LE_SET_ADVERTISING_DATA: u16 = 0x2008;
    pub(crate) const LE_SET_SCAN_RESPONSE: u16 = 0x2009;
    pub(crate) const LE_ADVERTISE: u16 = 0x200a;
    pub(crate) const LE_SET_SCAN_PARAMETERS: u16 = 0x200b;
    pub(crate) const LE_SCAN: u16 = 0x200c;
    pub(crate) const LE_CREATE_CONNECTION: u16 = 0x200d;
    pub(crate) const LE_CREATE_CONNECTION_CANCEL: u16 = 0x200e;
    pub(crate) const LE_READ_ACCEPT_LIST_SIZE: u16 = 0x200f;
    pub(crate) const LE_CLEAR_ACCEPT_LIST: u16 = 0x2010;
    pub(crate) const LE_ADD_TO_ACCEPT_LIST: u16 = 0x2011;
    pub(crate) const LE_REMOVE_FROM_ACCEPT_LIST: u16 = 0x2012;
    pub(crate) const LE_CONNECTION_UPDATE: u16 = 0x2013;
    pub(crate) const LE_READ_REMOTE_FEATURES: u16 = 0x2016;
    pub(crate) const LE_RAND: u16 = 0x2018;
    pub(crate) const LE_READ_STATES: u16 = 0x201c;
    pub(crate) const LE_SET_DATA_LENGTH: u16 = 0x2022;
    pub(crate) const LE_READ_DEFAULT_DATA_LENGTH: u16 = 0x2023;
    pub(crate) const LE_WRITE_DEFAULT_DATA_LENGTH: u16 = 0x2024;
    pub(crate) const LE_READ_MAXIMUM_DATA_LENGTH: u16 = 0x202f;
    pub(crate) const LE_READ_PHY: u16 = 0x2030;
    pub(crate) const LE_SET_DEFAULT_PHY: u16 = 0x2031;
    pub(crate) const LE_SET_PHY: u16 = 0x2032;

    /// All of them, each with its place in the list that tells which commands are supported: octet
    /// and bit (Vol 4, Part E, 6.27).
    pub(crate) const ALL: &[(u16, usize, u8)] = &[
        (DISCONNECT, 0, 5),
        (READ_REMOTE_VERSION, 2, 7),
        (SET_EVENT_MASK, 5, 6),
        (RESET, 5, 7),
        (SET_FLOW_CONTROL, 10, 5),
        (HOST_BUFFER_SIZE, 10, 6),
        (HOST_COMPLETED_PACKETS, 10, 7),
        (READ_VERSION, 14, 3),
        (READ_FEATURES, 14, 5),
        (READ_BUFFER_SIZE, 14, 7),
        (READ_ADDRESS, 15, 1),
        (READ_RSSI, 15, 5),
        (SET_EVENT_MASK_2, 22, 2),
        (WRITE_LE_HOST_SUPPORT, 24, 6),
        (LE_SET_EVENT_MASK, 25, 0),
        (LE_READ_BUFFER_SIZE, 25, 1),
        (LE_READ_FEATURES, 25, 2),
        (LE_SET_RANDOM_ADDRESS, 25, 4),
        (LE_SET_ADVERTISING_PARAMETERS, 25, 5),
        (LE_READ_ADVERTISING_POWER, 25, 6),
        (LE_SET_ADVERTISING_DATA, 25, 7),
        (LE_SET_SCAN_RESPONSE, 26, 0),
        (LE_ADVERTISE, 26, 1),
        (LE_SET_SCAN_PARAMETERS, 26, 2),
        (LE_SCAN, 26, 3),
        (LE_CREATE_CONNECTION, 26, 4),
        (LE_CREATE_CONNECTION_CANCEL, 26, 5),
        (LE_READ_ACCEPT_LIST_SIZE, 26, 6),
        (LE_CLEAR_ACCEPT_LIST, 26, 7),
        (LE_ADD_TO_ACCEPT_LIST, 27, 0),
        (LE_REMOVE_FROM_ACCEPT_LIST, 27, 1),
        (LE_CONNECTION_UPDATE, 27, 2),
        (LE_READ_REMOTE_FEATURES, 27, 5),
        (LE_RAND, 27, 7),
        (LE_READ_STATES, 28, 3),
        (LE_SET_DATA_LENGTH, 33, 6),
        (LE_READ_DEFAULT_DATA_LENGTH, 33, 7),
        (LE_WRITE_DEFAULT_DATA_LENGTH, 34, 0),
        (LE_READ_MAXIMUM_DATA_LENGTH, 35, 3),
        (LE_READ_PHY, 35, 4),
        (LE_SET_DEFAULT_PHY, 35, 5),
        (LE_SET_PHY, 35, 6),
    ];
}

/// Events.
pub(crate) mod event {
    pub(crate) const DISCONNECTION_COMPLETE: u8 = 0x05;
    pub(crate) const REMOTE_VERSION_COMPLETE: u8 = 0x0c;
    pub(crate) const COMMAND_COMPLETE: u8 = 0x0e;
    pub(crate) const COMMAND_STATUS: u8 = 0x0f;
    pub(crate) const COMPLETED_PACKETS: u8 = 0x13;
    pub(crate) const BUFFER_OVERFLOW: u8 = 0x1a;
    pub(crate) const LE_META: u8 = 0x3e;
}

/// Events of Bluetooth LE, inside [`event::LE_META`].
pub(crate) mod le {
    pub(crate) const CONNECTION_COMPLETE: u8 = 0x01;
    pub(crate) const ADVERTISING_REPORT: u8 = 0x02;
    pub(crate) const CONNECTION_UPDATE_COMPLETE: u8 = 0x03;
    pub(crate) const REMOTE_FEATURES_COMPLETE: u8 = 0x04;
    pub(crate) const DATA_LENGTH_CHANGE: u8 = 0x07;
    pub(crate) const ENHANCED_CONNECTION_COMPLETE: u8 = 0x0a;
    pub(crate) const PHY_UPDATE_COMPLETE: u8 = 0x0c;
}
