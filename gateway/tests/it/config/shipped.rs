//! The files we ship are good, and the reference leaves nothing out.

use gateway::config::{self, Environment};

use super::{NOW, secrets::ed25519_pem};

fn deploy() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config")
}

/// Every file in `deploy/config` can be used as it is, given the secrets that its comments ask for.
#[test]
fn every_shipped_file_is_good() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ticket.pem"), ed25519_pem(3)).unwrap();
    let environment: Environment = [("REDIS_URL", "redis://:secret@127.0.0.1:6379")].into_iter().collect();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(deploy()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_name().unwrap().to_owned();
        std::fs::copy(&path, folder.path().join(&name)).unwrap();
        let report = config::check(&folder.path().join(&name), &environment, NOW);
        assert!(report.is_usable(), "{report}");
        names.push(name.into_string().unwrap());
    }
    for expected in ["demo.toml", "redis.toml", "reference.toml"] {
        assert!(names.iter().any(|name| name == expected), "{expected} is missing");
    }
}

/// The reference shows every key that exists, and its defaults are the real ones.
#[test]
fn the_reference_is_complete() {
    let text = std::fs::read_to_string(deploy().join("reference.toml")).unwrap();
    for section in config::schema().all() {
        for key in section.keys.iter().filter(|key| key.kind.section().is_none()) {
            let shown = text.lines().any(|line| line.contains(&format!("{} = ", key.name)));
            assert!(shown, "{} in {} is not in reference.toml", key.name, section.title);
            assert!(!key.about.trim().is_empty() && !section.about.trim().is_empty());
        }
    }
    // Where the reference differs from the default on purpose.
    let examples = ["insecure_cookies"];
    for section in config::schema().all() {
        for key in section.keys {
            let Some(default) = key.default.filter(|_| !examples.contains(&key.name)) else { continue };
            let shown = text.lines().any(|line| line.contains(&format!("{} = {default}", key.name)));
            assert!(shown, "{} = {default} in {} is not in reference.toml", key.name, section.title);
        }
    }
}
