//! The disk of the store is full.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::faults::judge::{nobody_entered, nobody_inside_noticed, waiting_saw_their_last_position};
use crate::faults::redis::{Keeps, Node};
use crate::faults::stage::{Scene, Stage};
use crate::journey::wait::eventually;

const FULL: Duration = Duration::from_secs(3);
const RUSH: Duration = Duration::from_secs(2);

/// A disk of its own, in memory; gone with its guard.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn at(path: &Path) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(path).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(path.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    fn clear(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is still ending must not keep the mount.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// MISCONF: the log of writes, or where disks cannot be made a backup, cannot be written.
#[tokio::test]
async fn the_disk_is_full() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let disk = SmallDisk::at(&data);
    let keeps = if disk.is_some() { Keeps::Log } else { Keeps::Backups };
    let Some(redis) = Node::start_in(keeps, folder, data) else { return };
    let mut stage = Stage::set(Scene::new("full disk", 1_000).long_sessions(), 2, redis.port()).await;
    stage.fills(RUSH).await;
    match &disk {
        Some(disk) => disk.fill(),
        None => {
            std::fs::rename(redis.data(), redis.data().with_extension("away")).unwrap();
            redis.must(&["CONFIG", "SET", "save", "3600 1"]);
            let _ = redis.may(&["BGSAVE"]);
        }
    }
    let refused =
        async || redis.may(&["SET", "probe", "1"]).err().filter(|error| error.to_string().contains("MISCONF"));
    eventually("writes are refused", refused).await;
    stage.breaks();
    stage.lasts(FULL).await;
    stage.heals();
    match &disk {
        Some(disk) => disk.clear(),
        None => {
            std::fs::rename(redis.data().with_extension("away"), redis.data()).unwrap();
            redis.must(&["BGSAVE"]);
        }
    }
    let judged = stage.ends(Duration::from_secs(60)).await;
    judged.also(nobody_inside_noticed).also(nobody_entered).also(waiting_saw_their_last_position).holds();
    drop(redis);
}
