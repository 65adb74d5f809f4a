#!/bin/sh
# Builds gocred and installs it into ~/.local/bin, or into $PREFIX/bin.
#   sh install/install.sh              build, install, print the next step
#   sh install/install.sh --demo       also show it at work, in a corporate network on loopback
#   sh install/install.sh --uninstall  take `gocred setup` back, and remove the two programs
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${PREFIX:-$HOME/.local}/bin

install_program() { # from, name: complete or not at all, also over a running one
    mkdir -p "$bin"
    cp "$1" "$bin/.$2.$$"
    chmod 755 "$bin/.$2.$$"
    mv -f "$bin/.$2.$$" "$bin/$2"
}

build_and_install() {
    command -v cargo >/dev/null || {
        echo "install.sh: cargo is missing; a Rust toolchain comes from https://rustup.rs" >&2
        exit 3
    }
    command -v cc >/dev/null || {
        echo "install.sh: Rust needs a linker; run: sh install/packages.sh build" >&2
        exit 3
    }
    cd "$root"
    # The helper by itself: it then links nothing of what only `gocred` needs.
    cargo build --profile helper --locked --no-default-features --bin git-credential-gocred
    built=${CARGO_TARGET_DIR:-target}
    install_program "$built/helper/git-credential-gocred" git-credential-gocred
    cargo build --release --locked --bin gocred
    install_program "$built/release/gocred" gocred
    echo "installed $bin/gocred and $bin/git-credential-gocred"
}

case ${1-} in
'')
    build_and_install
    case :$PATH: in
    *":$bin:"*) ;;
    *) printf '%s is not in your PATH; run:\n  export PATH="%s:%sPATH"\n' "$bin" "$bin" "$" ;;
    esac
    echo "next, with the name of your git host:"
    echo "  gocred login git.corp.example"
    ;;
--demo)
    echo "The demo needs root or sudo once, if Debian packages are missing; it asks nothing else."
    sh "$root/install/packages.sh" build demo
    build_and_install
    # GOAUTH came with Go 1.24.
    go=$(command -v go || true)
    case $([ -z "$go" ] || GOTOOLCHAIN=local "$go" version) in
    *" go1.2"[4-9]* | *" go1."[3-9][0-9]* | *" go1."[1-9][0-9][0-9]*) ;;
    *) go=$(sh "$root/install/go.sh" 1.27.3) ;;
    esac
    exec "$root/tests/lab/enter.sh" "$root/install/demo.sh" "$bin" "$(dirname "$go")"
    ;;
--uninstall)
    # git and go would go on asking a program that is gone.
    [ ! -x "$bin/gocred" ] || "$bin/gocred" setup --undo || true
    rm -f "$bin/gocred" "$bin/git-credential-gocred"
    echo "removed $bin/gocred and $bin/git-credential-gocred; secrets stay in the keyring"
    ;;
*)
    echo "usage: install.sh [--demo | --uninstall]" >&2
    exit 2
    ;;
esac
