//! What happens in one run: steps that are generated, shrunk and kept by proptest.

use crate::net::Weather;
use crate::world::{CALLS, befalls};
use muster_controller::lifecycle::Input;
use muster_controller::provider::simulated::{Call, Fault};
use muster_controller::provider::{ErrorKind, Status};
use muster_protocol::worker::{AfterDrain, Occupancy};
use proptest::collection::vec as many;
use proptest::prelude::*;
use std::time::Duration;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Nothing for so many seconds.
    Wait(u8),
    /// A controller dies between any two lines.
    Kill(u8),
    /// A controller ends orderly.
    Stop(u8),
    /// Controllers that do not run are started.
    Start,
    /// How a controller reaches the documents.
    BusWeather(u8, Weather),
    /// How a controller reaches the cloud.
    CloudWeather(u8, Weather),
    /// A controller reaches nothing, or no documents, for so many seconds.
    Stall(u8, u8),
    /// The next call of this sort goes wrong.
    Fault(Call, Fault),
    /// So many looks until a server is up.
    BootCalls(u8),
    /// New servers are listed after so many seconds.
    ListedAfter(u8),
    /// The cloud has room for so many servers.
    Quota(u8),
    /// Servers are gone.
    Vanish(u8, u8),
    /// A server stops, breaks, or comes back.
    Status(u8, Status),
    /// An agent is silent for so many seconds.
    Mute(u8, u8),
    /// Somebody who has read a machine's user-data enrols as its agent; from its host, or another.
    Thief(u8, bool),
    /// Something is said of a worker, or asked of it.
    Mark(u8, Input),
    /// The workload manager tells of all.
    MarkAll(Occupancy),
    /// The pool's size is set.
    Scale(u8),
    /// The pool is frozen, or thawed.
    Freeze(bool),
    /// The pool drains.
    DrainPool,
    /// A person confirms what is asked.
    Confirm,
    /// The documents are copied.
    Copy,
    /// The copy is put in the documents' place.
    Restore,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Of the dice.
    pub(crate) seed: u64,
    /// How many controllers there are.
    pub(crate) controllers: usize,
    /// The size at the beginning.
    pub(crate) first: u8,
    /// What happens.
    pub(crate) steps: Vec<Step>,
    /// The size at the end.
    pub(crate) last: u8,
}

/// Any run.
pub(crate) fn any_plan() -> impl Strategy<Value = Plan> {
    let steps = many(any_step(), 1..60);
    (any::<u64>(), 1..=2_usize, 1..=12_u8, steps, 0..=8_u8).prop_map(
        |(seed, controllers, first, steps, last)| Plan { seed, controllers, first, steps, last },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (1..=90_u8).prop_map(Step::Wait),
        12 => of_controllers(),
        12 => of_the_cloud(),
        14 => of_persons(),
    ]
}

fn of_controllers() -> impl Strategy<Value = Step> {
    let at = || any::<u8>();
    prop_oneof![
        3 => at().prop_map(Step::Kill),
        1 => at().prop_map(Step::Stop),
        3 => Just(Step::Start),
        2 => (at(), any_weather()).prop_map(|(at, weather)| Step::BusWeather(at, weather)),
        2 => (at(), any_weather()).prop_map(|(at, weather)| Step::CloudWeather(at, weather)),
        2 => (at(), 1..=40_u8).prop_map(|(at, secs)| Step::Stall(at, secs)),
        1 => Just(Step::Copy),
        1 => Just(Step::Restore),
    ]
}

fn any_weather() -> impl Strategy<Value = Weather> {
    let percent = || prop_oneof![2 => Just(0_u8), 2 => 1..=20_u8, 1 => 20..=60_u8];
    let weather = (percent(), percent(), percent());
    weather.prop_map(|(question_lost, answer_lost, late)| Weather {
        question_lost,
        answer_lost,
        late,
    })
}

fn of_the_cloud() -> impl Strategy<Value = Step> {
    let at = || any::<u8>();
    prop_oneof![
        12 => any_fault(),
        1 => (0..=3_u8).prop_map(Step::BootCalls),
        1 => (0..=60_u8).prop_map(Step::ListedAfter),
        1 => (2..=30_u8).prop_map(Step::Quota),
        2 => (at(), 1..=3_u8).prop_map(|(at, count)| Step::Vanish(at, count)),
        1 => (at(), 4..=12_u8).prop_map(|(at, count)| Step::Vanish(at, count)),
        2 => (at(), any_status()).prop_map(|(at, status)| Step::Status(at, status)),
        2 => (at(), 1..=200_u8).prop_map(|(at, secs)| Step::Mute(at, secs)),
        1 => (at(), any::<bool>()).prop_map(|(at, same)| Step::Thief(at, same)),
    ]
}

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Stopped),
        Just(Status::Active),
        Just(Status::Unknown),
        Just(Status::Error("its host died".to_owned())),
    ]
}

fn any_fault() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        Just(ErrorKind::Capacity),
        Just(ErrorKind::Quota),
        Just(ErrorKind::Rate),
        Just(ErrorKind::Auth),
        Just(ErrorKind::Invalid),
        Just(ErrorKind::Conflict),
        Just(ErrorKind::Gone),
        Just(ErrorKind::Transient),
    ];
    let seconds = |most| (1..=most).prop_map(Duration::from_secs);
    let fault = prop_oneof![
        2 => kind.prop_map(Fault::Refuse),
        1 => seconds(60).prop_map(Fault::RefuseFor),
        3 => Just(Fault::LoseAnswer),
        3 => seconds(120_u64).prop_map(Fault::Delay),
        1 => Just(Fault::Hang),
        4 => Just(Fault::Double),
        1 => Just(Fault::NeverBoot),
        1 => Just(Fault::BreakServer("no valid host".to_owned())),
        2 => Just(Fault::Empty),
    ];
    let call = proptest::sample::select(CALLS.to_vec());
    let fits = |(call, fault): &(Call, Fault)| befalls(*call, fault);
    (call, fault)
        .prop_map(|(call, fault)| match fault {
            // These are told of one call only.
            Fault::Double => (Call::Create, fault),
            Fault::Empty => (Call::List, fault),
            fault => (call, fault),
        })
        .prop_filter("a fault of this call", fits)
        .prop_map(|(call, fault)| Step::Fault(call, fault))
}

fn of_persons() -> impl Strategy<Value = Step> {
    let occupancy = || {
        prop_oneof![3 => Just(Occupancy::Idle), 2 => Just(Occupancy::Busy),
                    1 => Just(Occupancy::Unknown)]
    };
    let mark = prop_oneof![
        4 => occupancy().prop_map(Input::Occupied),
        2 => any::<bool>().prop_map(Input::Held),
        1 => Just(Input::Drain(AfterDrain::Stay)),
        1 => Just(Input::Drain(AfterDrain::Terminate)),
        3 => Just(Input::Drain(AfterDrain::Rebuild(None))),
        1 => Just(Input::Undrain),
        1 => Just(Input::Terminate("a person ends it".to_owned())),
    ];
    prop_oneof![
        8 => (any::<u8>(), mark).prop_map(|(at, mark)| Step::Mark(at, mark)),
        3 => occupancy().prop_map(Step::MarkAll),
        4 => (0..=12_u8).prop_map(Step::Scale),
        1 => any::<bool>().prop_map(Step::Freeze),
        1 => Just(Step::DrainPool),
        1 => Just(Step::Confirm),
    ]
}
