//! Proves that the simulated kernel does, call by call, what the real one does.
#![forbid(unsafe_code)]
mod census;
mod control;
mod observation;
mod real;
mod sequence;
mod universe;
use sequence::*;
use cofferdam::kernel::*;
fn main() {
    let s = real::Sandbox::enter(None).unwrap();
    let seq: Sequence = serde_json::from_str(r#"{"steps":[
      {"task":0,"call":{"call":"getpid"}},
      {"task":0,"fork":{"child":1,"flags":"CLONE_NEWNS"}},
      {"task":1,"call":{"call":"getpid"}},
      {"task":1,"call":{"call":"mount","source":"/a","target":"/b","filesystemtype":null,"mountflags":"MS_BIND","data":null}},
      {"task":0,"call":{"call":"chdir","path":"/a"}},
      {"task":1,"call":{"call":"listmount","mount":18446744073709551615,"last":0}},
      {"task":1,"exit":{"status":3}},
      {"task":1,"call":{"call":"getpid"}},
      {"task":0,"call":{"call":"wait4","pid":-1,"options":"WNOHANG"}}
      ]}"#).unwrap();
    let plan = seq.plan(Looks::AtTheEnd);
    let start = std::time::Instant::now();
    let r = s.start(&plan, &[]).unwrap().finish().unwrap();
    eprintln!("{:?}", start.elapsed());
    for (o,i) in r.observations.iter().zip(&plan.items) { eprintln!("{i:?}\n   {o:?}"); }
    eprintln!("{:?}", r.trouble);
    let start = std::time::Instant::now();
    for _ in 0..1000 { s.start(&plan, &[]).unwrap().finish().unwrap(); }
    eprintln!("{:?} each", start.elapsed()/1000);
}
