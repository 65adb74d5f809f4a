//! Windows: a task that starts with the user's session.

use crate::front::proxy_cmd::service::{Facts, Service, Step};

const TASK: &str = "gocred proxy";

/// Returns what there is to do.
pub(super) fn service(facts: &Facts) -> Service {
    let schtasks = |arguments: &[&str]| Step::new("schtasks.exe", arguments);
    let run = format!("\"{}\" proxy run", facts.program);
    let create = ["/create", "/f", "/tn", TASK, "/sc", "onlogon", "/rl", "limited", "/tr", &run];
    let start = || schtasks(&["/run", "/tn", TASK]);
    let stop = || schtasks(&["/end", "/tn", TASK]);
    Service {
        name: "the task scheduler",
        files: Vec::new(),
        install: vec![schtasks(&create), start()],
        before_removal: vec![stop().tolerated(), schtasks(&["/delete", "/f", "/tn", TASK])],
        after_removal: Vec::new(),
        start: vec![start()],
        stop: vec![stop()],
        query: Some(schtasks(&["/query", "/tn", TASK])),
        folders: Vec::new(),
        waits: None,
        starts: "it starts at the next log-on, `gocred proxy start` starts it now",
    }
}

#[cfg(test)]
mod tests {
    use super::service;
    use crate::front::proxy_cmd::service::tests::facts;

    #[test]
    fn the_task_runs_the_program_by_its_whole_path() {
        let service = service(&facts());
        let create = &service.install[0].arguments;
        assert_eq!(create.last().unwrap(), "\"/opt/my tools/gocred\" proxy run");
    }
}
