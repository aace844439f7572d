//! Random sequences. Each step is made with the state in view that the simulated kernel is in after those before it, so
//! that most calls succeed.
#![allow(clippy::unnecessary_wraps, reason = "makers have one type, whether or not they ever lack what they need")]

mod audit;
mod contexts;
mod credentials;
mod files;
mod fitness;
mod hostile;
mod layers;
mod limits;
mod mounts;
mod namespaces;
mod overlays;
mod paths;
mod profile;
mod propagation;
mod query;
mod routines;
mod scene;
mod spoil;
mod trees;
mod unmount;

use std::collections::BTreeSet;

use cofferdam::kernel::{Bytes, Call, Fd, UmountFlags, UniqueMountId, Value};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub(crate) use profile::Profile;
use scene::Scene;

use crate::observation::Observation;
use crate::sequence::{Action, Looks, MAX_TASKS, Plan, Sequence, Step, TaskIndex, Universe};
use crate::simulated::{Simulated, Simulation};

/// Makes a step's action, if the state has what it needs.
type Maker = fn(&mut Scene<'_>) -> Option<Action>;

/// How often, in percent, an argument is replaced by one that makes little sense.
const SPOILED: u32 = 4;
/// How often, in percent, a call gets a path that leads nowhere.
const HOSTILE: u32 = 2;
/// How often, in per mille, a process begins a routine.
const ROUTINES: u32 = 6;
/// How often a maker is asked for another action before there is no step.
const MOST_ATTEMPTS: usize = 20;
/// How often, in percent, the process that acted last goes on.
const GOES_ON: u32 = 70;

/// What sequences are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe {
    pub(crate) profile: Profile,
    /// How many steps a sequence has.
    pub(crate) length: usize,
    /// How many processes it has at most.
    pub(crate) tasks: usize,
    /// When the mount tables are compared.
    pub(crate) looks: Looks,
}

/// A sequence with what the simulated kernel did.
pub(crate) struct Generated {
    pub(crate) sequence: Sequence,
    pub(crate) plan: Plan,
    pub(crate) simulated: Vec<Observation>,
}

/// Makes the sequence with a number out of those of a seed.
pub(crate) fn generate(simulation: &Simulation, recipe: &Recipe, seed: u64, number: u64) -> Generated {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let mut kernel = simulation.begin(Universe::Standard);
    let mut sequence = Sequence { universe: Universe::Standard, steps: Vec::with_capacity(recipe.length) };
    let mut simulated = Vec::new();
    let mut actor = Actor { task: 0, routine: [].iter() };
    let mut past = Past::new(&mut kernel);
    let mut is_broken = false;
    while (sequence.steps.len() < recipe.length || actor.is_busy()) && !is_broken {
        let Some(action) = actor.act(&mut rng, &kernel, recipe, &past) else { break };
        let step = Step { task: actor.task, action };
        let observation = kernel.perform(&step);
        past.note(&step, &observation);
        is_broken = matches!(observation, Observation::Broken(_));
        sequence.steps.push(step);
        simulated.push(observation);
    }
    if !is_broken {
        for step in kernel.census().clone().living().flat_map(audit::questions) {
            let mut scene = Scene::new(&mut rng, &kernel, step.task, 0, &past);
            if scene.asks_the_machine(&step.action) {
                continue;
            }
            simulated.push(kernel.perform(&step));
            sequence.steps.push(step);
        }
    }
    let plan = sequence.plan(recipe.looks);
    let simulated = match recipe.looks {
        // The looks stand at the end, so that what was seen so far is the beginning.
        Looks::AtTheEnd => {
            let looks = plan.items.iter().skip(simulated.len());
            let looks: Vec<_> = looks.map(|item| kernel.carry_out(item)).collect();
            simulated.into_iter().chain(looks).collect()
        }
        Looks::AfterEveryCall => simulation.run(&plan),
    };
    Generated { sequence, plan, simulated }
}

/// What of the steps before matters.
#[derive(Debug, Default)]
struct Past {
    /// The unique ids of mounts that were told: for these the real kernel's can be found.
    told: BTreeSet<UniqueMountId>,
    /// Whether a mount may be about to expire (`MNT_EXPIRE`).
    expiring: bool,
    /// The user namespace that the sequence begins in, which others are in too.
    first_user_namespace: Option<Bytes>,
}

/// The file of a process's user namespace.
const OWN_USER_NAMESPACE: &str = "/proc/self/ns/user";

impl Past {
    fn new(kernel: &mut Simulated) -> Self {
        let link = kernel.ask(0, &Call::Readlinkat { dirfd: Fd::CWD, path: OWN_USER_NAMESPACE.into() });
        let first_user_namespace = match link {
            Ok(Value::Bytes(link)) => Some(link),
            _ => None,
        };
        Self { first_user_namespace, ..Self::default() }
    }

    fn note(&mut self, step: &Step, observation: &Observation) {
        if let Some(Ok(Value::Mounts(mounts))) = observation.result() {
            self.told.extend(mounts.iter().copied());
        }
        let is_expiring =
            |call: &Call| matches!(call, Call::Umount2 { flags, .. } if flags.contains(UmountFlags::MNT_EXPIRE));
        self.expiring |= matches!(&step.action, Action::Call(call) if is_expiring(call));
    }
}

/// Who acts.
struct Actor {
    task: TaskIndex,
    /// What is left of the routine that it goes through.
    routine: std::slice::Iter<'static, Maker>,
}

impl Actor {
    fn is_busy(&self) -> bool {
        self.routine.len() > 0
    }

    /// What the process does next: the next step of its routine, if there is one and it can be taken, or else anything.
    fn act(&mut self, rng: &mut ChaCha8Rng, kernel: &Simulated, recipe: &Recipe, past: &Past) -> Option<Action> {
        let most_tasks = recipe.tasks.min(MAX_TASKS);
        loop {
            if let Some(maker) = self.routine.next() {
                let mut scene = Scene::new(rng, kernel, self.task, most_tasks, past);
                let action = maker(&mut scene).filter(|action| scene.is_fit(action));
                if action.is_some() {
                    return action;
                }
                self.routine = [].iter();
            }
            self.task = choose_task(rng, kernel, self.task);
            let mut scene = Scene::new(rng, kernel, self.task, most_tasks, past);
            if scene.rarely(ROUTINES) {
                self.routine = routines::choose(&mut scene);
            } else {
                return choose_action(&mut scene, recipe);
            }
        }
    }
}

fn choose_task(rng: &mut ChaCha8Rng, kernel: &Simulated, last: TaskIndex) -> TaskIndex {
    use rand::{RngExt, seq::IteratorRandom};
    if kernel.census().lives(last) && rng.random_ratio(GOES_ON, 100) {
        return last;
    }
    kernel.census().living().choose(rng).unwrap_or(0)
}

fn choose_action(scene: &mut Scene<'_>, recipe: &Recipe) -> Option<Action> {
    for _ in 0..MOST_ATTEMPTS {
        let maker = if scene.chance(HOSTILE) { hostile::walk } else { recipe.profile.choose(scene) };
        let Some(mut action) = maker(scene) else { continue };
        if scene.chance(SPOILED) {
            spoil::spoil(scene, &mut action);
        }
        if scene.is_fit(&action) && !scene.is_passed_over(&action) {
            return Some(action);
        }
    }
    None
}
