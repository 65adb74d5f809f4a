//! One script in one `QuickJS` runtime, with limits on its time, memory and stack. It belongs to one
//! thread, of a process of its own (`child`), and waits for nothing.
//!
//! The script finds the language and the functions of `functions`: no modules, files, network or
//! timers. There are promises, since `import()` and `async` break without them, but nothing is ever
//! done for one. Its time is that of its thread's processor where the system counts it, so
//! that a busy machine does not end an honest script. One that has computed far longer than honest
//! ones do is not waited for on a busy machine either.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use rquickjs::{
    CaughtError, Context, Ctx, Function, Runtime, Type, Value,
    context::{
        EvalOptions,
        intrinsic::{Date, Eval, Json, MapSet, Promise, RegExp, RegExpCompiler},
    },
};

use crate::{
    core::{
        pac::{answer, file, question::Question},
        text::{printable, start},
    },
    net::pac::{
        Error, FILE,
        functions::{self, Run},
        message::{Call, Ended, Names, Record, Said},
    },
};

/// How long one call of a script may compute, its repetitions after name look-ups included.
pub(super) const TIME: Duration = Duration::from_millis(50);
/// How long a question may take by the clock on the wall, if it has computed for [`LONG`]: whoever
/// asks has the configured way within 100 ms (proxy.md, test 17).
pub(super) const PATIENCE: Duration = Duration::from_millis(75);
/// Honest scripts answer within a few milliseconds of computing, and are waited for.
pub(super) const LONG: Duration = Duration::from_millis(10);
/// How long loading may compute beside [`TIME`], for each KiB of the script.
const LOAD_TIME: Duration = Duration::from_micros(250);
/// How much memory a script may use, in bytes.
const MEMORY: usize = 32 * 1024 * 1024;
/// How much stack a script may use, in bytes; the thread has [`STACK`].
const SCRIPT_STACK: usize = 1024 * 1024;
/// The stack of a thread for an engine: unoptimized code has large frames.
pub(super) const STACK: usize = 8 * 1024 * 1024;
/// At most this much of an exception is shown, in bytes.
const MAX_SHOWN: usize = 300;

/// Returns how long loading a script may compute.
pub(super) fn load_time(script: &str) -> Duration {
    let kib = u32::try_from(script.len() / 1024).unwrap_or(u32::MAX);
    TIME.saturating_add(LOAD_TIME.saturating_mul(kib))
}

/// A script that is loaded.
pub(super) struct Engine {
    context: Context,
    run: Rc<RefCell<Run>>,
    limit: Rc<Limit>,
}

impl Engine {
    /// Loads a script, which runs what stands outside of its functions.
    pub(super) fn load(
        script: &str,
        names: Names,
        left: &mut Duration,
    ) -> Result<Ended<Self>, Error> {
        if script.len() > file::MAX_LENGTH {
            return Err(Error::Size);
        }
        let limit = Rc::new(Limit::default());
        let context = context(&limit)?;
        let engine = Self { context, run: Rc::default(), limit };
        let loaded = engine.within(left, names, Record::Nothing, |ctx| {
            functions::define(ctx, &engine.run)?;
            let mut options = EvalOptions::default();
            options.strict = false;
            options.filename = Some(FILE.to_owned());
            ctx.eval_with_options::<(), _>(script, options)?;
            Ok(function(ctx).is_some())
        })?;
        Ok(match loaded {
            Ended::Done((false, _)) => return Err(Error::NoFunction),
            Ended::Done((true, _)) => Ended::Done(engine),
            Ended::Missing(name) => Ended::Missing(name),
            Ended::Unloaded => Ended::Unloaded,
        })
    }

    /// Asks the script.
    pub(super) fn find(
        &self,
        question: &Question,
        names: Names,
        record: Record,
        left: &mut Duration,
    ) -> Result<Ended<Said>, Error> {
        self.limit.late.set(Instant::now().checked_add(PATIENCE));
        let ended = self.within(left, names, record, |ctx| {
            let Some(function) = function(ctx) else { return Ok(Err(Error::NoFunction)) };
            let value: Value<'_> =
                function.call((question.url.as_str(), question.host.as_str()))?;
            Ok(match value.type_of() {
                Type::Undefined | Type::Null | Type::Uninitialized => Ok(String::new()),
                Type::String => Ok(shortened(&value.get::<String>()?)),
                other => Err(Error::NoText(other.as_str().to_owned())),
            })
        })?;
        Ok(match ended {
            Ended::Done((text, calls)) => Ended::Done(Said { text: text?, calls }),
            Ended::Missing(name) => Ended::Missing(name),
            Ended::Unloaded => Ended::Unloaded,
        })
    }

    /// Runs something with the limits, and takes what it took from the time that is left.
    fn within<T>(
        &self,
        left: &mut Duration,
        names: Names,
        record: Record,
        body: impl FnOnce(&Ctx<'_>) -> rquickjs::Result<T>,
    ) -> Result<Ended<(T, Vec<Call>)>, Error> {
        let calls = (record == Record::Calls).then(Vec::new);
        *self.run.borrow_mut() = Run::new(names, calls);
        let start = clock();
        self.limit.until.set(start.saturating_add(*left));
        self.limit.long.set(start.saturating_add(LONG));
        self.limit.passed.set(false);
        let result = self.context.with(|ctx| {
            body(&ctx).map_err(|error| self.error(CaughtError::from_error(&ctx, error)))
        });
        *left = left.saturating_sub(clock().saturating_sub(start));
        let Run { missing, calls, .. } = self.run.take();
        match (missing, result) {
            // Whatever the script made of it: the answer would be that of an unknown name.
            (Some(name), _) if !self.limit.passed.get() => Ok(Ended::Missing(name)),
            (_, Ok(value)) => Ok(Ended::Done((value, calls.unwrap_or_default()))),
            (_, Err(error)) => Err(error),
        }
    }

    fn error(&self, error: CaughtError<'_>) -> Error {
        if self.limit.passed.get() {
            return Error::Time;
        }
        let (message, stack) = match error {
            CaughtError::Exception(exception) => {
                (exception.message().unwrap_or_default(), exception.stack().unwrap_or_default())
            }
            CaughtError::Value(value) => (value.get::<String>().unwrap_or_default(), String::new()),
            CaughtError::Error(error) => (error.to_string(), String::new()),
        };
        match message.as_str() {
            "out of memory" => return Error::Memory,
            "stack overflow" | "Maximum call stack size exceeded" => return Error::Stack,
            _ => {}
        }
        let what = printable(start(&message, MAX_SHOWN));
        Error::Script { what, line: functions::line_of(&stack) }
    }
}

/// Cuts a text off behind the length of an answer, so that it is still seen to be too long.
fn shortened(text: &str) -> String {
    start(text, answer::MAX_LENGTH + 4).to_owned()
}

/// The time at which a script is ended.
#[derive(Default)]
struct Limit {
    until: Cell<Duration>,
    /// From when on it has computed for long.
    long: Cell<Duration>,
    /// From when on one that has computed for long is late; loading is never.
    late: Cell<Option<Instant>>,
    passed: Cell<bool>,
}

impl Limit {
    fn is_over(&self) -> bool {
        let computed = clock();
        let is_late = || self.late.get().is_some_and(|late| Instant::now() >= late);
        computed >= self.until.get() || (computed >= self.long.get() && is_late())
    }
}

fn context(limit: &Rc<Limit>) -> Result<Context, Error> {
    let failed = |error: rquickjs::Error| Error::Engine(error.to_string());
    let runtime = Runtime::new().map_err(failed)?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(SCRIPT_STACK);
    let limit = Rc::clone(limit);
    runtime.set_interrupt_handler(Some(Box::new(move || {
        let passed = limit.is_over();
        limit.passed.set(passed);
        passed
    })));
    Context::builder()
        .with::<(Date, Eval, Json, MapSet, Promise, RegExp, RegExpCompiler)>()
        .build(&runtime)
        .map_err(failed)
}

/// Returns what is called: Microsoft's function where the script has it, else Netscape's.
fn function<'js>(ctx: &Ctx<'js>) -> Option<Function<'js>> {
    let named = |name: &str| ctx.globals().get::<_, Function<'js>>(name).ok();
    named("FindProxyForURLEx").or_else(|| named("FindProxyForURL"))
}

/// Returns the time that this thread has computed.
#[cfg(unix)]
fn clock() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}

/// Returns the time since the first call.
#[cfg(not(unix))]
fn clock() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Engine, STACK, TIME};
    use crate::{
        core::pac::question::Question,
        net::pac::{
            Error,
            message::{Ended, Names, Record},
        },
    };

    /// Loads a script and asks it for `https://git.corp.test/`, on a thread as large as the real one.
    fn ask(script: &str, names: &[(&str, &str)]) -> Result<String, Error> {
        let names: Names = names
            .iter()
            .map(|(name, list)| {
                let list = list.split(';').filter(|one| !one.is_empty());
                ((*name).to_owned(), list.map(|one| one.parse().unwrap()).collect())
            })
            .collect();
        let script = script.to_owned();
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || {
            let mut left = TIME;
            let engine = match Engine::load(&script, names.clone(), &mut left)? {
                Ended::Done(engine) => engine,
                Ended::Missing(name) => return Ok(format!("load wants {name}")),
                Ended::Unloaded => return Ok("unloaded".to_owned()),
            };
            let question = Question::parse("git.corp.test").unwrap().0;
            left = TIME;
            Ok(match engine.find(&question, names, Record::Calls, &mut left)? {
                Ended::Done(said) => said.text,
                Ended::Missing(name) => format!("find wants {name}"),
                Ended::Unloaded => "unloaded".to_owned(),
            })
        });
        thread.unwrap().join().unwrap()
    }

    /// The value of an expression, as text.
    fn eval(expression: &str, names: &[(&str, &str)]) -> String {
        ask(
            &format!("function FindProxyForURL(url, host) {{ return String({expression}) }}"),
            names,
        )
        .unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_script_is_asked_with_url_and_host() {
        assert_eq!(eval("url + ' ' + host", &[]), "https://git.corp.test/ git.corp.test");
        let both = "function FindProxyForURL() { return 'old' }\
                    function FindProxyForURLEx() { return 'new' }";
        assert_eq!(ask(both, &[]).unwrap(), "new");
    }

    #[test]
    fn what_is_returned_must_be_text_or_nothing() {
        for (value, answer) in
            [("null", Ok("")), ("undefined", Ok("")), ("''", Ok("")), ("1", Err("int"))]
        {
            let answer =
                answer.map(ToOwned::to_owned).map_err(|kind: &str| Error::NoText(kind.to_owned()));
            assert_eq!(ask(&format!("FindProxyForURL = () => {value}"), &[]), answer);
        }
        assert_eq!(ask("var x = 1", &[]), Err(Error::NoFunction));
        assert_eq!(ask("", &[]), Err(Error::NoFunction));
    }

    #[test]
    fn every_function_is_there() {
        let names =
            &[("h.test", "2001:db8::1;10.1.2.3;10.1.2.4"), ("none.test", ""), ("six.test", "::9")];
        for (expression, answer) in [
            ("isPlainHostName('www')", "true"),
            ("isPlainHostName()", "false"),
            ("dnsDomainIs(host, '.corp.test')", "true"),
            ("localHostOrDomainIs('git', host)", "true"),
            ("isResolvable('h.test')", "true"),
            ("isResolvable('none.test')", "false"),
            ("isResolvable('six.test')", "false"),
            ("isResolvable('no name')", "false"),
            ("isResolvable(null)", "false"),
            ("isInNet('h.test', '10.1.0.0', '255.255.0.0')", "true"),
            ("isInNet('10.2.0.1', '10.1.0.0', '255.255.0.0')", "false"),
            ("isInNet(dnsResolve('none.test'), '0.0.0.0', '0.0.0.0')", "false"),
            ("dnsResolve('h.test')", "10.1.2.3"),
            ("dnsResolve('none.test')", "null"),
            ("dnsResolve('10.0.0.1')", "10.0.0.1"),
            ("dnsDomainLevels(host)", "2"),
            ("shExpMatch(url, 'https://*.corp.test/')", "true"),
            ("alert('x')", "undefined"),
            ("isResolvableEx('six.test')", "true"),
            ("isResolvableEx('none.test')", "false"),
            ("isInNetEx('h.test', '2001:db8::/32')", "true"),
            ("isInNetEx(dnsResolveEx('h.test'), '10.1.2.4/32')", "true"),
            ("isInNetEx('::1', '10.0.0.0/8')", "false"),
            ("dnsResolveEx('h.test')", "2001:db8::1;10.1.2.3;10.1.2.4"),
            ("dnsResolveEx('none.test')", ""),
            ("sortIpAddressList('10.0.0.1;::1')", "::1;10.0.0.1"),
            ("sortIpAddressList('x')", ""),
            ("getClientVersion()", "1.0"),
            ("typeof myIpAddress() + typeof myIpAddressEx()", "stringstring"),
            ("isPlainHostName({ toString() { return 'www' } })", "true"),
            ("weekdayRange('SUN', 'SAT') && weekdayRange('SUN', 'SAT', 'GMT')", "true"),
            ("dateRange('JAN', 'DEC') && dateRange(1, 31) && dateRange(2000, 9999)", "true"),
            ("timeRange(0, 23) && timeRange(0, 0, 0, 23, 59, 60)", "true"),
            ("timeRange(new Date().getHours())", "true"),
            (
                "weekdayRange(['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'][new Date().getUTCDay()], 'GMT')",
                "true",
            ),
        ] {
            assert_eq!(eval(expression, names), answer, "{expression}");
        }
    }

    #[test]
    fn an_unknown_name_ends_the_run_even_where_the_script_catches_it() {
        assert_eq!(eval("dnsResolve('x.test')", &[]), "find wants x.test");
        let caught = "function FindProxyForURL() { try { isInNet('X.test', '', '') } catch (e) {} return 'no' }";
        assert_eq!(ask(caught, &[]).unwrap(), "find wants x.test");
        let outside =
            "var address = dnsResolve('x.test'); function FindProxyForURL() { return address }";
        assert_eq!(ask(outside, &[]).unwrap(), "load wants x.test");
        assert_eq!(ask(outside, &[("x.test", "10.0.0.1")]).unwrap(), "10.0.0.1");
    }

    #[test]
    fn a_script_that_runs_away_is_ended_and_named() {
        let function = |body: &str| format!("function FindProxyForURL(url, host) {{ {body} }}");
        for (script, error) in [
            (function("while (true);"), Error::Time),
            (function("for (;;) try { for (;;); } catch (e) {}"), Error::Time),
            (
                function("return /^(a+)+$/.test('a'.repeat(40) + 'b') ? 'DIRECT' : 'DIRECT'"),
                Error::Time,
            ),
            ("while (true);".to_owned(), Error::Time),
            (
                function("var a = []; for (;;) a.push('x'.repeat(1 << 20) + a.length)"),
                Error::Memory,
            ),
            (function("return 'x'.repeat(1 << 29) + 'y'.repeat(1 << 29)"), Error::Memory),
            (function("return FindProxyForURL(url, host) + 1"), Error::Stack),
            ("/".repeat(10 << 20), Error::Size),
        ] {
            let start = Instant::now();
            assert_eq!(ask(&script, &[]), Err(error), "{script:.80}");
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        }
    }

    #[test]
    fn an_exception_has_its_line() {
        let script = "\n\nfunction FindProxyForURL() {\n  return nothing.there;\n}";
        let Err(Error::Script { what, line }) = ask(script, &[]) else { panic!("it works") };
        assert_eq!((what.as_str(), line), ("nothing is not defined", Some(4)));
        let Err(Error::Script { line, .. }) = ask("\nfunction (", &[]) else { panic!("it loads") };
        assert_eq!(line, Some(2));
        assert!(
            matches!(ask("throw '\x1b[31m'", &[]), Err(Error::Script { what, .. }) if what == "\\u{1b}[31m")
        );
        let long = eval("shExpMatch('x'.repeat(9000), '*')", &[]);
        assert!(long.contains("too long"), "{long}");
    }

    #[test]
    fn the_engine_has_nothing_that_reaches_outside() {
        for name in [
            "require",
            "fetch",
            "setTimeout",
            "std",
            "os",
            "Proxy",
            "WebAssembly",
            "console",
            "process",
            "performance",
            "SharedArrayBuffer",
        ] {
            assert_eq!(eval(&format!("typeof {name}"), &[]), "undefined", "{name}");
        }
        // A module is loaded by the job that resolves this, and no job is ever done.
        assert_eq!(eval("import('/etc/passwd')", &[]), "[object Promise]");
        assert_eq!(eval("(async () => 1)()", &[]), "[object Promise]");
    }
}
