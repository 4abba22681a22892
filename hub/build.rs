//! Rebuild when a migration changes: `sqlx::migrate!` embeds them, cargo does not see the folder.
fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
