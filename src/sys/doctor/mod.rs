//! Reads what a diagnosis needs to know of this machine. It sends no packet, runs only git (and go, where no
//! file tells its version), and changes nothing.

mod cache;
mod folder;
mod git;
mod go;
mod imports;
mod look;
mod neighbours;
pub mod own;
mod proc;
mod shelf;
mod sockets;
mod ssh;
mod startup;
mod text;
mod variables;

use std::{path::Path, thread};

use crate::{
    core::doctor::{gosettings, machine::Machine, target::Target},
    sys::{clock, env::Env, limits, paths::Paths, peer},
};

/// Reads the machine.
pub fn read(target: &Target, env: &Env, paths: &Paths) -> Machine {
    let (variables, others) = variables::read();
    read_with(target, Machine { variables, others, ..Machine::default() }, env, paths)
}

/// Reads everything but the variables.
fn read_with(target: &Target, mut machine: Machine, env: &Env, paths: &Paths) -> Machine {
    machine.home = env.path("HOME");
    machine.uid = peer::own_uid();
    machine.has_terminal = look::has_terminal();
    machine.now = clock::now();
    machine.folder = folder::current();
    machine.goenv = paths.goenv.as_deref().map(text::read_as_go);
    // git is the only program that is run; everything else is read meanwhile.
    let (path, cwd) = (env.text("PATH").unwrap_or_default().to_owned(), machine.folder.clone());
    let cache = modcache(&machine);
    let read = move || git::read(&path, &cwd, cache.as_deref());
    let asked = thread::Builder::new().spawn(read);
    (machine.go, machine.goroot_env) = go::read(&machine, env);
    machine.startup = startup::read(&paths.home);
    let neighbours = neighbours::read(&paths.home);
    (machine.neighbours, machine.careless) = (neighbours.proxies, neighbours.careless);
    machine.resolv = text::read(Path::new("/etc/resolv.conf"));
    machine.hosts = text::read(Path::new("/etc/hosts"));
    machine.nsswitch = text::read(Path::new("/etc/nsswitch.conf"));
    machine.module = folder::module(&machine);
    machine.listeners = sockets::listeners();
    machine.within = look::within(&machine);
    machine.descriptors = limits::open_files();
    machine.netrc = text::netrc(&machine);
    cache::read(target, &mut machine);
    machine.shelves = shelf::read(target, &machine);
    if let Ok(asked) = asked.map(thread::JoinHandle::join)
        && let Ok(git) = asked
    {
        machine.git = git.program;
        machine.git_config = git.values;
        machine.git_error = git.error;
        machine.git_of_go = git.of_go;
    }
    machine.git_credentials = text::git_credentials(&machine);
    machine.paths = look::paths(&machine, paths);
    machine.ssh = ssh::read(&machine);
    machine.programs = look::programs(&machine, env);
    machine.git_library = look::git_library(&machine);
    machine.newest = look::newest(&machine);
    machine
}

/// Returns whether a module cache can be named at all.
fn modcache(machine: &Machine) -> Option<std::path::PathBuf> {
    gosettings::modcache(machine).filter(|folder| folder.is_absolute())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::read_with;
    use crate::{
        core::doctor::{machine::Machine, place::Place, private::Private, target::Target},
        sys::{env::Env, paths::Paths},
    };

    #[test]
    fn a_home_is_read_with_its_lines() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = home.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            crate::sys::files::write_private(&file, text.as_bytes()).unwrap();
            file
        };
        let goenv = write(".config/go/env", "GOFLAGS=-mod=mod\nGOPROXY=off\n");
        let bashrc = write(".bashrc", "secret=1\nexport GOPROXY='https://a:hunter2@h'\n");
        let netrc = write(".netrc", "machine h login a password b\n");
        write(".gitconfig", "[user]\n\tname = x\n[http]\n\n\tproxy = http://p:1\n");
        let at = home.path().to_str().unwrap();
        let env = Env::of(&[("HOME", at), ("PATH", "/usr/local/bin:/usr/bin:/bin")]);
        let paths = Paths::resolve(&env).unwrap();
        let variables =
            [("HOME", at)].map(|(name, value)| (name.to_owned(), Private::new(value))).into();
        let machine = Machine { variables, ..Machine::default() };
        let machine = read_with(&Target::Here, machine, &env, &paths);
        let (value, place) = machine.go_setting("GOPROXY").unwrap();
        assert_eq!((value.raw(), place), ("off", Place::File(goenv, Some(2))));
        let (place, value) = machine.exported("GOPROXY").unwrap();
        assert_eq!(place, Place::File(bashrc, Some(2)));
        assert_eq!(value.to_string(), "https://a:***@h");
        assert!(machine.netrc[&netrc].text.is_some());
        assert!(machine.stat(&netrc).is_readable);
    }
}
