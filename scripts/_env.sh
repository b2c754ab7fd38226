# Makes .venv hold what the caller needs; sourced, after setting `extras`, by the other scripts. POSIX sh.
# Leaves the working directory at the checkout and $python naming the environment's interpreter.

cd "$(dirname "$0")/.." || exit 1
python=.venv/bin/python
lock=.venv.lock

say() { printf '%s\n' "$*" >&2; }

is_root() { [ "$(id -u)" -eq 0 ]; }

may_apt() { command -v apt-get >/dev/null && { is_root || sudo -n true 2>/dev/null; }; }

apt_install() {
    as_root=$(is_root || echo sudo)
    say "Installing $* …"
    $as_root apt-get update -qq >&2 &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# Running a candidate is the only proof: a version manager's stand-in answers to the name and then fails.
is_usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3.14 python3.13 python3.12 python3.11 python3; do
        if is_usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    base=$(find_python) || {
        may_apt && apt_install python3.11 python3.11-venv && base=python3.11
    } || {
        say "Python 3.11 or newer is needed. Install it, then start this again:"
        [ "$(uname)" = Darwin ] && say "  brew install python" || say "  sudo apt-get install python3.11 python3.11-venv"
        exit 3
    }
    if ! "$base" -c 'import ensurepip' 2>/dev/null; then
        package=$("$base" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        may_apt && apt_install "$package" || {
            say "Python's venv module is needed. Install it, then start this again:"
            say "  sudo apt-get install $package"
            exit 3
        }
    fi
    rm -rf .venv
    "$base" -m venv .venv && pwd >.venv/checkout
}

# One stamp per set of extras, so that serve and test don't undo each other's; it holds all that decides an install.
stamp() { { "$python" -V && cat setup.cfg pyproject.toml constraints.txt; } | cksum; }

is_installed() { [ "$(cat .venv/checkout 2>/dev/null)" = "$(pwd)" ] && [ "$(cat "$stamp_file" 2>/dev/null)" = "$(stamp)" ]; }

lock_environment() {
    until mkdir "$lock" 2>/dev/null; do
        owner=$(cat "$lock/pid" 2>/dev/null) || { sleep 1; owner=$(cat "$lock/pid" 2>/dev/null); }
        kill -0 "${owner:-0}" 2>/dev/null && [ -n "$owner" ] || rm -rf "$lock"
        sleep 1
    done
    echo $$ >"$lock/pid"
    trap 'rm -rf "$lock"' EXIT
    trap 'exit 130' INT TERM HUP
}

install() {
    # A checkout that was moved has an environment full of its old paths: make it anew.
    [ "$(cat .venv/checkout 2>/dev/null)" = "$(pwd)" ] && "$python" -V >/dev/null 2>&1 || make_venv
    say "Installing what moralbank needs (half a minute, only this time) …"
    "$python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".${extras:+[$extras]}" >&2 || exit 1
    stamp >"$stamp_file"
}

stamp_file=.venv/stamp-${extras:-serve}
if ! is_installed; then
    lock_environment
    is_installed || install
    rm -rf "$lock"
    trap - EXIT INT TERM HUP
fi
