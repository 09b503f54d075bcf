//! NSD with the zones of the cross-check, and Unbound before it.
//! Comes in: the zones. Goes out: the address of the recursive resolver, which answers by then.
//! Nothing is signed, and nothing is asked of any other server.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

use super::run::{PATIENCE, Run, free_port, has_answer};
use super::world::World;

const NSD: Ipv4Addr = Ipv4Addr::new(127, 27, 0, 53);
const UNBOUND: Ipv4Addr = Ipv4Addr::new(127, 27, 0, 54);

const NSD_CONF: &str = r#"
server:
    ip-address: 127.27.0.53@@NSD@
    do-ip6: no
    server-count: 1
    username: ""
    zonesdir: "/fixture"
    pidfile: ""
    xfrdfile: ""
    zonelistfile: "/var/lib/nsd.list"
    rrl-ratelimit: 0
    minimal-responses: yes
remote-control:
    control-enable: no
"#;

// Every zone is a stub: nothing is left to be asked for elsewhere. The caches hold everything, and no TTL is cut.
const UNBOUND_CONF: &str = r#"
server:
    interface: 127.27.0.54@@UNBOUND@
    port: @UNBOUND@
    do-ip6: no
    num-threads: 1
    username: ""
    chroot: ""
    directory: "/fixture"
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    access-control: 127.0.0.0/8 allow
    outgoing-interface: 127.27.0.54
    do-not-query-localhost: no
    module-config: "iterator"
    qname-minimisation: no
    rrset-roundrobin: no
    cache-max-ttl: 2147483647
    cache-max-negative-ttl: 86400
    msg-cache-size: 200m
    rrset-cache-size: 400m
    outgoing-range: 1000
    num-queries-per-thread: 1000
    incoming-num-tcp: 500
    outgoing-num-tcp: 100
    # Zones that Unbound would answer by itself.
    local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault
    local-zone: "127.in-addr.arpa." nodefault
    local-zone: "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa." nodefault
    local-zone: "localhost." nodefault
    local-zone: "invalid." nodefault
    local-zone: "onion." nodefault
    local-zone: "refused.example." refuse
remote-control:
    control-enable: no
"#;

/// Starts both servers and waits until they answer. They run until the first is dropped.
pub(crate) fn start(world: &World) -> (Run, SocketAddr) {
    let directory = tempfile::tempdir().unwrap();
    let nsd = SocketAddrV4::new(NSD, free_port(NSD));
    let unbound = SocketAddrV4::new(UNBOUND, free_port(UNBOUND));
    let fill_in =
        |text: &str| text.replace("@NSD@", &nsd.port().to_string()).replace("@UNBOUND@", &unbound.port().to_string());
    let (mut zones, mut stubs) = (fill_in(NSD_CONF), fill_in(UNBOUND_CONF));
    for (number, (origin, text)) in world.zones().enumerate() {
        fs::write(directory.path().join(format!("zone{number}")), text).unwrap();
        // A zone's name is quoted as it stands: the slash of RFC 2317 by number would be four characters.
        let origin = origin.replace("\\047", "/");
        writeln!(zones, "zone:\n    name: \"{origin}\"\n    zonefile: \"zone{number}\"").unwrap();
        writeln!(stubs, "stub-zone:\n    name: \"{origin}\"\n    stub-addr: {NSD}@{}\n    stub-prime: no", nsd.port())
            .unwrap();
    }
    // A zone that NSD is told to serve and cannot load: it answers SERVFAIL, at once. A closed port is no case here: Unbound
    // takes more than a minute to give up on one.
    writeln!(zones, "zone:\n    name: \"dead.example.\"\n    zonefile: \"missing\"").unwrap();
    fs::write(directory.path().join("nsd.conf"), zones).unwrap();
    fs::write(directory.path().join("unbound.conf"), stubs).unwrap();
    let mut run = Run::start(directory);
    let deadline = Instant::now() + PATIENCE;
    // Unbound comes last: asked before NSD answers, it would remember that it does not.
    run.wait(deadline, "NSD", || has_answer(nsd, "ns.odd.example"));
    run.wait(deadline, "Unbound", || has_answer(unbound, "ns.odd.example"));
    (run, unbound.into())
}
