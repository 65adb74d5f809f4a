#!/bin/sh
# links.sh add|remove BIN   Makes, or takes away, the links in the folder BIN by which docker, Bazel, cargo,
# pip, uv, Terraform and kubectl find `gocred`, which lies there. What is not ours is never touched.
set -eu
bin=${2:?usage: links.sh add|remove BIN}
plugins=$HOME/.terraform.d/plugins # the one place where Terraform looks
names="bazel-credential-gocred cargo-credential-gocred docker-credential-gocred keyring
    kube-credential-gocred terraform-credentials-gocred"

is_ours() { # link, target
    [ "$(readlink "$1" || true)" = "$2" ]
}
link() { # link, target
    if is_ours "$1" "$2" || ! { [ -e "$1" ] || [ -L "$1" ]; }; then
        ln -sf "$2" "$1"
    else
        echo "links.sh: $1 is not gocred's, and stays" >&2
    fi
}

case $1 in
add)
    for name in $names; do
        other=$(command -v "$name" || true)
        # A Python's own `keyring` is more than what pip and uv ask it for.
        if [ "$name" = keyring ] && [ -n "$other" ] && [ "$other" != "$bin/keyring" ]; then
            echo "there is a \`keyring\` already: $other; for pip and uv to ask gocred instead:"
            echo "  ln -s $bin/gocred SOME_FOLDER_BEFORE_IT_IN_PATH/keyring"
        else
            link "$bin/$name" gocred
        fi
    done
    if [ -d "$HOME/.terraform.d" ]; then
        mkdir -p "$plugins"
        link "$plugins/terraform-credentials-gocred" "$bin/gocred"
    fi
    ;;
remove)
    for name in $names; do
        ! is_ours "$bin/$name" gocred || rm -f "$bin/$name"
    done
    ! is_ours "$plugins/terraform-credentials-gocred" "$bin/gocred" ||
        rm -f "$plugins/terraform-credentials-gocred"
    ;;
*)
    echo "usage: links.sh add|remove BIN" >&2
    exit 2
    ;;
esac
