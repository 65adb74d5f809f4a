//! The functions that a script may call: from JavaScript's arguments to `core::pac`, and back.
//!
//! None of them waits. A name that has not been resolved yet ends the run; the caller resolves it and
//! runs the script again.

use std::{cell::RefCell, net::IpAddr, rc::Rc, sync::Arc};

use rquickjs::{
    Coerced, Ctx, Exception, FromJs, Function, IntoJs, Result, Value, context::EvalOptions,
    function::Rest,
};

use crate::{
    core::{
        pac::{
            calendar::{self, Bound, Moment, Now},
            glob, hosts, nets,
        },
        target::Host,
        text::{printable, start},
    },
    net::pac::{
        FILE,
        message::{Call, Names},
        names,
    },
};

/// At most this many calls are recorded for a person.
const MAX_CALLS: usize = 2_000;
/// At most this much of an argument is shown, in bytes.
const MAX_SHOWN: usize = 200;

/// What one run of a script has and leaves.
#[derive(Default)]
pub(super) struct Run {
    /// The names that are known.
    names: Names,
    /// The name that the run ended at.
    pub(super) missing: Option<String>,
    /// The calls, where they are wanted.
    pub(super) calls: Option<Vec<Call>>,
    own: Option<Vec<IpAddr>>,
    now: Option<Now>,
}

/// Defines every function in a context.
pub(super) fn define<'js>(ctx: &Ctx<'js>, run: &Rc<RefCell<Run>>) -> Result<()> {
    for (name, body) in FUNCTIONS {
        let run = Rc::clone(run);
        let function =
            Function::new(ctx.clone(), move |ctx: Ctx<'js>, arguments: Rest<Value<'js>>| {
                call(&ctx, name, *body, &arguments.0, &run)
            })?;
        ctx.globals().set(*name, function.with_name(name)?)?;
    }
    Ok(())
}

/// Every function. Names, order and meaning are Netscape's, then Microsoft's.
const FUNCTIONS: &[(&str, Body)] = &[
    ("isPlainHostName", |_, given| Ok(Reply::Truth(hosts::is_plain(text(given, 0)?)))),
    ("dnsDomainIs", |_, given| {
        Ok(Reply::Truth(hosts::is_in_domain(text(given, 0)?, text(given, 1)?)))
    }),
    ("localHostOrDomainIs", |_, given| {
        Ok(Reply::Truth(hosts::is_local_or(text(given, 0)?, text(given, 1)?)))
    }),
    ("isResolvable", |run, given| Ok(Reply::Truth(v4(&run.resolve(text(given, 0)?)?).is_some()))),
    ("isInNet", |run, given| {
        let (pattern, mask) = (text(given, 1)?, text(given, 2)?);
        let address = v4(&run.resolve(text(given, 0)?)?);
        Ok(Reply::Truth(address.is_some_and(|address| nets::is_in_net(address, pattern, mask))))
    }),
    ("dnsResolve", |run, given| {
        Ok(v4(&run.resolve(text(given, 0)?)?).map_or(Reply::Null, |v4| Reply::Text(v4.to_string())))
    }),
    ("myIpAddress", |run, _| {
        let own = run.own();
        let first = own.iter().find(|address| address.is_ipv4()).or_else(|| own.first());
        Ok(Reply::Text(first.map_or_else(|| "127.0.0.1".to_owned(), ToString::to_string)))
    }),
    ("dnsDomainLevels", |_, given| Ok(Reply::Number(hosts::levels(text(given, 0)?)))),
    ("shExpMatch", |_, given| {
        glob::matches(text(given, 0)?, text(given, 1)?).map(Reply::Truth).ok_or(Stop::TooLong)
    }),
    ("weekdayRange", |run, given| {
        Ok(Reply::Truth(calendar::is_weekday(&bounds(given), &run.now()?)))
    }),
    ("dateRange", |run, given| Ok(Reply::Truth(calendar::is_date(&bounds(given), &run.now()?)))),
    ("timeRange", |run, given| Ok(Reply::Truth(calendar::is_time(&bounds(given), &run.now()?)))),
    ("alert", |_, _| Ok(Reply::Undefined)),
    ("isResolvableEx", |run, given| Ok(Reply::Truth(!run.resolve(text(given, 0)?)?.is_empty()))),
    ("isInNetEx", |run, given| {
        // The documentation says addresses and shows a host, and scripts hand `dnsResolveEx` over.
        let (list, block) = (text(given, 0)?, text(given, 1)?);
        for one in list.split(';') {
            if run.resolve(one.trim())?.iter().any(|address| nets::is_in_block(*address, block)) {
                return Ok(Reply::Truth(true));
            }
        }
        Ok(Reply::Truth(false))
    }),
    ("dnsResolveEx", |run, given| Ok(Reply::Text(nets::join(&run.resolve(text(given, 0)?)?)))),
    ("myIpAddressEx", |run, _| Ok(Reply::Text(nets::join(run.own())))),
    ("sortIpAddressList", |_, given| Ok(Reply::Text(nets::sorted(text(given, 0)?)))),
    ("getClientVersion", |_, _| Ok(Reply::Text("1.0".to_owned()))),
];

type Body = fn(&mut Run, &[Given]) -> std::result::Result<Reply, Stop>;

/// An argument.
#[derive(Clone, Debug)]
enum Given {
    Number(i32),
    Text(String),
    /// `undefined`, `null`, or not there.
    Nothing,
}

/// What a function gives back.
enum Reply {
    Null,
    Number(usize),
    Text(String),
    Truth(bool),
    Undefined,
}

/// Why a function gives nothing back.
enum Stop {
    /// The clock has not been read.
    Clock,
    /// An argument is missing: the predicate is false, the resolver finds nothing.
    Missing,
    /// This name has not been resolved.
    Name,
    /// A pattern or a text is too long.
    TooLong,
}

impl Run {
    /// Prepares a run.
    pub(super) fn new(names: Names, calls: Option<Vec<Call>>) -> Self {
        Self { names, calls, ..Self::default() }
    }

    /// Returns the addresses of a name; none where it has none, or is no name.
    fn resolve(&mut self, name: &str) -> std::result::Result<Arc<[IpAddr]>, Stop> {
        let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = bracketed.unwrap_or(name).parse::<IpAddr>() {
            return Ok([address].into());
        }
        match Host::parse(name) {
            Err(_) => Ok([].into()),
            Ok(Host::Address(address)) => Ok([address].into()),
            Ok(Host::Name(name)) => {
                if let Some(addresses) = self.names.get(&name) {
                    return Ok(addresses.as_slice().into());
                }
                self.missing = Some(name);
                Err(Stop::Name)
            }
        }
    }

    fn own(&mut self) -> &[IpAddr] {
        self.own.get_or_insert_with(names::own)
    }

    fn now(&self) -> std::result::Result<Now, Stop> {
        self.now.ok_or(Stop::Clock)
    }
}

fn text(given: &[Given], at: usize) -> std::result::Result<&str, Stop> {
    match given.get(at) {
        Some(Given::Text(text)) => Ok(text),
        Some(Given::Number(_) | Given::Nothing) | None => Err(Stop::Missing),
    }
}

fn bounds(given: &[Given]) -> Vec<Bound> {
    let bound = |one: &Given| match one {
        Given::Number(number) => Some(Bound::Number(*number)),
        Given::Text(text) => Some(Bound::Word(text.clone())),
        Given::Nothing => None,
    };
    // A script that passes `undefined` on for what it was not given means nothing by it.
    given.iter().filter_map(bound).collect()
}

fn v4(addresses: &[IpAddr]) -> Option<std::net::Ipv4Addr> {
    addresses.iter().find_map(|address| match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    })
}

/// Runs one call of the script.
fn call<'js>(
    ctx: &Ctx<'js>,
    name: &'static str,
    body: Body,
    arguments: &[Value<'js>],
    run: &RefCell<Run>,
) -> Result<Value<'js>> {
    // This may run the script's own `toString`, which may call us: nothing is borrowed meanwhile.
    let given = arguments.iter().map(|one| Given::of(ctx, one)).collect::<Result<Vec<_>>>()?;
    let mut result = body(&mut run.borrow_mut(), &given);
    if matches!(result, Err(Stop::Clock)) {
        let now = clock(ctx)?;
        let mut run = run.borrow_mut();
        run.now = Some(now);
        result = body(&mut run, &given);
    }
    let value = match result {
        Ok(reply) => reply.into_js(ctx)?,
        Err(Stop::Missing) => nothing(name).into_js(ctx)?,
        // The run is over; the script may catch this, but its answer is not used.
        Err(Stop::Name | Stop::Clock) => {
            return Err(Exception::throw_message(ctx, "gocred resolves the name and runs again"));
        }
        Err(Stop::TooLong) => {
            let message = format!("{name}: the pattern or the text is too long");
            return Err(Exception::throw_range(ctx, &message));
        }
    };
    let is_recorded = run.borrow().calls.as_ref().is_some_and(|calls| calls.len() < MAX_CALLS);
    if is_recorded {
        let call = Call {
            line: line(ctx),
            function: name.to_owned(),
            arguments: given.iter().map(Given::shown).collect(),
            result: Given::of(ctx, &value)?.shown_as(&value),
        };
        if let Some(calls) = &mut run.borrow_mut().calls {
            calls.push(call);
        }
    }
    Ok(value)
}

/// What a function gives back that was called without what it needs.
fn nothing(function: &str) -> Reply {
    match function {
        "dnsResolve" => Reply::Null,
        "dnsDomainLevels" => Reply::Number(0),
        "dnsResolveEx" | "sortIpAddressList" => Reply::Text(String::new()),
        _ => Reply::Truth(false),
    }
}

impl Given {
    fn of<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<Self> {
        if value.is_undefined() || value.is_null() {
            return Ok(Self::Nothing);
        }
        if let Some(text) = value.as_string() {
            return Ok(Self::Text(lossy(text)?));
        }
        if let Some(number) = value.as_number() {
            #[expect(clippy::cast_possible_truncation, reason = "`as` stops at the ends")]
            return Ok(Self::Number(number as i32));
        }
        Ok(Self::Text(Coerced::<String>::from_js(ctx, value.clone())?.0))
    }

    fn shown(&self) -> String {
        match self {
            Self::Nothing => "null".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => quoted(text),
        }
    }

    fn shown_as(&self, value: &Value<'_>) -> String {
        match self {
            Self::Text(text) if !value.is_string() => text.clone(),
            Self::Nothing if value.is_undefined() => "undefined".to_owned(),
            Self::Nothing | Self::Number(_) | Self::Text(_) => self.shown(),
        }
    }
}

/// Half a surrogate pair is a legal JavaScript string, and no text.
fn lossy(text: &rquickjs::String<'_>) -> Result<String> {
    match text.to_string() {
        Ok(text) => Ok(text),
        Err(rquickjs::Error::Utf8(_)) => Ok("\u{fffd}".to_owned()),
        Err(error) => Err(error),
    }
}

/// Returns a text as a script writes it, shortened and printable.
pub(super) fn quoted(text: &str) -> String {
    let shown = start(text, MAX_SHOWN);
    let dots = if shown.len() < text.len() { "…" } else { "" };
    format!("\"{}{dots}\"", printable(&shown.replace('\\', "\\\\").replace('"', "\\\"")))
}

impl<'js> IntoJs<'js> for Reply {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(match self {
            Self::Null => Value::new_null(ctx.clone()),
            Self::Number(number) => number.into_js(ctx)?,
            Self::Text(text) => text.into_js(ctx)?,
            Self::Truth(truth) => Value::new_bool(ctx.clone(), truth),
            Self::Undefined => Value::new_undefined(ctx.clone()),
        })
    }
}

/// Reads the clock as the script does: its zone is the engine's.
fn clock(ctx: &Ctx<'_>) -> Result<Now> {
    const READ: &str = "(d => [d.getFullYear(), d.getMonth(), d.getDate(), d.getDay(), d.getHours(), \
        d.getMinutes(), d.getSeconds(), d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate(), \
        d.getUTCDay(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds()])(new Date())";
    let parts: Vec<i32> = ctx.eval_with_options(READ, own_code())?;
    let [year, month, day, weekday, hour, minute, second, rest @ ..] = parts.as_slice() else {
        return Ok(Now::default());
    };
    let moment = |parts: [i32; 7]| {
        let [year, month, day, weekday, hour, minute, second] = parts;
        Moment { year, month, day, weekday, hour, minute, second }
    };
    Ok(Now {
        local: moment([*year, *month, *day, *weekday, *hour, *minute, *second]),
        utc: rest.try_into().map(moment).unwrap_or_default(),
    })
}

/// Returns the line of the script that called us.
fn line(ctx: &Ctx<'_>) -> Option<u32> {
    let stack: String = ctx.eval_with_options("new Error().stack", own_code()).ok()?;
    line_of(&stack)
}

/// Returns the first line of the script in a stack.
pub(super) fn line_of(stack: &str) -> Option<u32> {
    let (_, after) = stack.split_once(&format!("{FILE}:"))?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn own_code() -> EvalOptions {
    let mut options = EvalOptions::default();
    options.filename = Some("gocred".to_owned());
    options
}
