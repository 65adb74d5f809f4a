//! Who stands beside a broker: what writes releases down, renews logins and asks the sources.
//!
//! Every front that answers with a secret builds its broker here, so that none forgets one of them.

use crate::{
    broker::{Asked, Broker, Journal, Log, Renew, Sources},
    core::audit::Via,
    front::{Context, renew_worker::Worker, sources},
    store::Store,
    sys::clock,
};

/// What a broker is given beside its store.
#[derive(Default)]
pub(crate) struct Parts {
    journal: Option<Box<dyn Journal>>,
    renewer: Option<Box<dyn Renew>>,
    sources: Option<Box<dyn Sources>>,
}

impl Parts {
    /// Starts with what the configuration asks for. Nothing is opened yet.
    pub(crate) fn of(context: &Context) -> Self {
        let renewer: Option<Box<dyn Renew>> = Some(Box::new(Worker));
        let sources = sources::of(context);
        Self { renewer, sources, ..Self::default() }.asked(context, Via::Command, Asked::ByParent)
    }

    /// Says which way the question came, and whose it is; without that, a command's, and that of whoever
    /// started it.
    pub(crate) fn asked(mut self, context: &Context, via: Via, asked: Asked) -> Self {
        let log = Log::of(&context.config, &context.paths, via, asked);
        self.journal = log.map(|log| Box::new(log) as Box<dyn Journal>);
        self
    }

    /// Leaves renewals to who asks: they take long, and what waits here keeps others from being answered.
    pub(crate) fn without_renewer(self) -> Self {
        Self { renewer: None, ..self }
    }

    /// Returns a broker that has all of them.
    pub(crate) fn broker<'a>(
        &'a mut self,
        store: &'a mut dyn Store,
        context: &'a Context,
    ) -> Broker<'a> {
        let Context { env, paths, config } = context;
        let mut broker = Broker::new(store, env, paths, config, clock::now());
        if let Some(journal) = &mut self.journal {
            broker = broker.journal(journal.as_mut());
        }
        if let Some(renewer) = &mut self.renewer {
            broker = broker.renewer(renewer.as_mut());
        }
        if let Some(sources) = &mut self.sources {
            broker = broker.sources(sources.as_mut());
        }
        broker
    }
}
