#!/usr/bin/env bash
# Writes a bill of materials (CycloneDX 1.5, JSON) of what is linked into the program: the crates of Cargo.lock that a build for this
# target takes, each with its checksum and licence, and C libraries named as NAME=VERSION. The same input gives the same bytes.
#
#   sbom.sh TARGET [NAME=VERSION...]
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -lt 1 ]]; then
    echo "usage: $0 TARGET [NAME=VERSION...]" >&2
    exit 2
fi
target=$1
shift

# Build scripts and procedural macros run while it is built and are no part of it.
cargo tree --locked --edges normal,no-proc-macro --prefix none --no-dedupe --target "$target" --format '{p}|{l}|{r}' |
    LC_ALL=C sort -u | awk -v libraries="$*" '
    function text(value) {
        gsub(/\\/, "\\\\", value)
        gsub(/"/, "\\\"", value)
        return "\"" value "\""
    }
    function component(kind, name, version, purl, licence, address, hash) {
        printf "%s{\"type\":%s,\"bom-ref\":%s,\"name\":%s,\"version\":%s,\"purl\":%s", comma, text(kind), text(purl), text(name), text(version), text(purl)
        # Older crates write a slash for OR.
        gsub(/ *\/ */, " OR ", licence)
        if (licence != "") printf ",\"licenses\":[{\"expression\":%s}]", text(licence)
        if (hash != "") printf ",\"hashes\":[{\"alg\":\"SHA-256\",\"content\":%s}]", text(hash)
        if (address != "") printf ",\"externalReferences\":[{\"type\":\"vcs\",\"url\":%s}]", text(address)
        printf "}"
        comma = ",\n"
    }
    BEGIN {
        FS = "|"
        while ((getline line < "Cargo.lock") > 0) {
            split(line, part, "\"")
            if (line ~ /^name = /) name = part[2]
            if (line ~ /^version = /) version = part[2]
            if (line ~ /^checksum = /) checksum[name " " version] = part[2]
        }
    }
    {
        split($1, word, " ")
        version = substr(word[2], 2)
        if (word[1] == "flowshrike") {
            own = version
            next
        }
        count++
        names[count] = word[1]; versions[count] = version; licences[count] = $2; addresses[count] = $3
    }
    END {
        printf "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1,\n"
        printf "\"metadata\":{\"component\":{\"type\":\"application\",\"bom-ref\":\"flowshrike\",\"name\":\"flowshrike\",\"version\":%s,\"licenses\":[{\"expression\":\"Apache-2.0\"}]}},\n\"components\":[\n", text(own)
        for (n = 1; n <= count; n++)
            component("library", names[n], versions[n], "pkg:cargo/" names[n] "@" versions[n], licences[n], addresses[n], checksum[names[n] " " versions[n]])
        libs = split(libraries, library, " ")
        for (n = 1; n <= libs; n++) {
            split(library[n], part, "=")
            component("library", part[1], part[2], "pkg:generic/" part[1] "@" part[2], "", "", "")
        }
        printf "\n]}\n"
    }'
