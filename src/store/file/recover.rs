//! What happens to a file that is damaged, or gone beside the generation before it: that is put back,
//! once it is proved to open, and both are told (K08). Never is a damaged file an empty store.

use crate::{
    core::vault::format::Sealed,
    store::{
        Error,
        file::{Content, FileStore, Lock, Opened},
    },
    sys::clock,
};

impl FileStore {
    /// Puts the generation before back. Who only reads takes the lock for it, and looks again: another
    /// one may have done it. Where nothing can be written, it is read and not put back.
    pub(super) fn recover(
        &mut self,
        what: &'static str,
        lock: Lock,
    ) -> Result<Option<Opened>, Error> {
        if lock == Lock::Free
            && let Ok(_held) = self.place.lock()
        {
            return self.read(Lock::Held);
        }
        let file = self.place.path();
        let hopeless = |why: &str| Error::File {
            file: file.clone(),
            line: 0,
            what: format!("{what}, and {why}"),
        };
        let Some(previous) = self.place.read_previous()? else {
            return Err(hopeless("there is no earlier generation beside it"));
        };
        let opened = match self.open(previous)? {
            Content::Opened(opened) => opened,
            Content::Damaged(_) => return Err(hopeless("so is the generation before it")),
        };
        let done = match lock {
            Lock::Held => match self.place.put_back(&opened.bytes, clock::now())? {
                Some(aside) => format!("was put back, and the file moved to {}", aside.display()),
                None => "was put back".to_owned(),
            },
            Lock::Free => "is used, and cannot be put back".to_owned(),
        };
        let what = format!(
            "{what}; generation {} {done}: what was stored after it is lost",
            opened.header.generation
        );
        self.damage.get_or_insert(Error::File { file, line: 0, what });
        Ok(Some(opened))
    }

    /// Decides what it means that no key opens the file: the key is wrong or missing, unless the same
    /// key opens the generation before, whole.
    pub(super) fn is_damaged(
        &mut self,
        sealed: &Sealed<'_>,
        error: Error,
    ) -> Result<Content, Error> {
        let Ok(Some(previous)) = self.place.read_previous() else { return Err(error) };
        let Ok(before) = Sealed::parse(&previous) else { return Err(error) };
        if before.header.wraps == sealed.header.wraps && before.header.id == sealed.header.id {
            // What is tried is the same: only a key that we have could tell.
            let opens = |key| before.open(key).is_some();
            let is_proved = self.key_of(&before.header).is_some_and(opens);
            return if is_proved { Ok(Content::Damaged("its seal is broken")) } else { Err(error) };
        }
        match self.keys.find(&before.header) {
            Ok(key) if before.open(&key).is_some() => {
                self.key = Some((before.header.id, key));
                Ok(Content::Damaged("what opens it is damaged"))
            }
            Ok(_) | Err(_) => Err(error),
        }
    }
}
