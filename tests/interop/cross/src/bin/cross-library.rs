//! Prints one line a cell of the library-level cross-tests, for `peers/table.py`.

fn main() {
    for cell in packmule_interop::run() {
        println!("{}", cell.to_json());
    }
}
