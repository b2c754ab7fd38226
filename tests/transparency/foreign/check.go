// Check reads docs/vectors with golang.org/x/mod/sumdb/{note,tlog} and fails where they disagree with what stands there.
//
//	go run tests/transparency/foreign/check.go docs/vectors
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var place string
var checked = map[string]int{}

func fail(format string, args ...interface{}) {
	fmt.Printf("WRONG "+format+"\n", args...)
	os.Exit(1)
}

func need(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(place, name))
	need(err, name)
	return data
}

func load(name string, into interface{}) {
	need(json.Unmarshal(read(name), into), name)
}

func hash(text string) (h tlog.Hash) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != len(h) {
		fail("not a hash: %q", text)
	}
	copy(h[:], data)
	return h
}

func hashes(texts []string) []tlog.Hash {
	found := make([]tlog.Hash, len(texts))
	for i, text := range texts {
		found[i] = hash(text)
	}
	return found
}

func same(a, b []tlog.Hash) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A grown log keeps every stored hash in the order in which tlog numbers them.
type grown struct{ stored []tlog.Hash }

func (g *grown) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(g.stored)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		found[i] = g.stored[index]
	}
	return found, nil
}

func grow(count int64, leaf func(int64) []byte) *grown {
	g := &grown{}
	for n := int64(0); n < count; n++ {
		more, err := tlog.StoredHashes(n, leaf(n), g)
		need(err, "growing")
		g.stored = append(g.stored, more...)
	}
	return g
}

type head struct {
	Size int64
	Root string
}
type inclusion struct {
	Index, Size int64
	Path        []string
}
type consistency struct {
	Old, New int64
	Path     []string
}

func checkTree(g *grown, heads []head, inclusions []inclusion, consistencies []consistency) {
	roots := map[int64]tlog.Hash{}
	for _, h := range heads {
		root, err := tlog.TreeHash(h.Size, g)
		need(err, "root")
		if h.Size > 0 && root != hash(h.Root) { // x/mod gives zeroes for the empty tree; RFC 6962 hashes nothing.
			fail("root of %d", h.Size)
		}
		if h.Size == 0 && sha256.Sum256(nil) != [32]byte(hash(h.Root)) {
			fail("root of the empty tree")
		}
		roots[h.Size] = hash(h.Root)
		checked["heads"]++
	}
	for _, p := range inclusions {
		leaf := g.stored[tlog.StoredHashIndex(0, p.Index)]
		need(tlog.CheckRecord(hashes(p.Path), p.Size, roots[p.Size], p.Index, leaf), "inclusion")
		proof, err := tlog.ProveRecord(p.Size, p.Index, g)
		need(err, "proving inclusion")
		if !same(proof, hashes(p.Path)) {
			fail("inclusion of %d in %d", p.Index, p.Size)
		}
		checked["inclusion proofs"]++
	}
	for _, p := range consistencies {
		if p.Old == 0 { // x/mod proves nothing from the empty tree; the standard's proof is empty.
			if len(p.Path) != 0 {
				fail("consistency from nothing to %d", p.New)
			}
			continue
		}
		need(tlog.CheckTree(hashes(p.Path), p.New, roots[p.New], p.Old, roots[p.Old]), "consistency")
		proof, err := tlog.ProveTree(p.New, p.Old, g)
		need(err, "proving consistency")
		if !same(proof, hashes(p.Path)) {
			fail("consistency of %d with %d", p.Old, p.New)
		}
		checked["consistency proofs"]++
	}
}

func checkTiles(g *grown) {
	var tiles []struct{ Path, Sha256 string }
	load("tiles.json", &tiles)
	for _, given := range tiles {
		// x/mod names the height of its tiles first, and writes a partial one's width the same way.
		tile, err := tlog.ParseTilePath("tile/8/" + strings.TrimPrefix(given.Path, "tile/"))
		need(err, given.Path)
		data, err := tlog.ReadTileData(tile, g)
		need(err, given.Path)
		sum := sha256.Sum256(data)
		if hex.EncodeToString(sum[:]) != given.Sha256 {
			fail("tile %s", given.Path)
		}
		checked["tiles"]++
	}
}

// A cosigner verifies cosignature/v1 lines of one witness.
type cosigner struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) cosigner {
	parts := strings.SplitN(vkey, "+", 3)
	id, err := strconv.ParseUint(parts[1], 16, 32)
	need(err, vkey)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	need(err, vkey)
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if len(key) != 33 || key[0] != 4 || binary.BigEndian.Uint32(sum[:]) != uint32(id) {
		fail("witness key %s", vkey)
	}
	return cosigner{parts[0], uint32(id), key[1:]}
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.id }
func (c cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

// body returns the size and root of a checkpoint's text.
func body(text, origin string) (int64, tlog.Hash) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != origin || lines[3] != "" {
		fail("checkpoint %q", text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	need(err, "size")
	root, err := tlog.ParseHash(lines[2])
	need(err, "root")
	return size, root
}

func main() {
	place = os.Args[1]
	var leaves []struct{ Leaf, Hash string }
	load("leaves.json", &leaves)
	for _, leaf := range leaves {
		if tlog.RecordHash([]byte(leaf.Leaf)) != hash(leaf.Hash) {
			fail("leaf hash of %s", leaf.Leaf)
		}
		checked["leaves"]++
	}
	var heads struct{ Small, Large []head }
	var inclusions struct{ Small, Large []inclusion }
	var consistencies struct{ Small, Large []consistency }
	load("heads.json", &heads)
	load("inclusion.json", &inclusions)
	load("consistency.json", &consistencies)
	small := grow(int64(len(leaves)), func(n int64) []byte { return []byte(leaves[n].Leaf) })
	large := grow(heads.Large[len(heads.Large)-1].Size, func(n int64) []byte { return []byte(fmt.Sprintf("leaf %d", n)) })
	checkTree(small, heads.Small, inclusions.Small, consistencies.Small)
	checkTree(large, heads.Large, inclusions.Large, consistencies.Large)
	checkTiles(large)
	roots := map[int64]tlog.Hash{}
	for _, h := range heads.Small {
		roots[h.Size] = hash(h.Root)
	}
	checkNotes(small, roots)
	for _, what := range []string{"leaves", "heads", "inclusion proofs", "consistency proofs", "tiles", "notes",
		"cosignatures", "proof files", "refused notes"} {
		fmt.Printf("%6d %s\n", checked[what], what)
	}
}

func checkNotes(small *grown, roots map[int64]tlog.Hash) {
	var keys struct {
		Log, Witnesses []struct {
			VerifierKey string `json:"verifier_key"`
			Seed        string
		}
	}
	load("keys.json", &keys)
	var logs, everybody []note.Verifier
	for _, key := range keys.Log {
		verifier, err := note.NewVerifier(key.VerifierKey)
		need(err, key.VerifierKey)
		seed, _ := hex.DecodeString(key.Seed)
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		vkey, err := note.NewEd25519VerifierKey(verifier.Name(), public)
		if err != nil || vkey != key.VerifierKey {
			fail("verifier key of the seed of %s", key.VerifierKey)
		}
		logs = append(logs, verifier)
	}
	everybody = append(everybody, logs[0])
	for _, key := range keys.Witnesses {
		everybody = append(everybody, newCosigner(key.VerifierKey))
	}
	origin := logs[0].Name()
	for name, signers := range map[string]int{"checkpoint-0.txt": 1, "checkpoint-1.txt": 1, "checkpoint-7.txt": 1,
		"checkpoint-21.txt": 1, "checkpoint-rotation.txt": 2, "checkpoint-cosigned.txt": 1} {
		opened, err := note.Open(read(name), note.VerifierList(logs...))
		need(err, name)
		size, root := body(opened.Text, origin)
		if len(opened.Sigs) != signers || root != roots[size] {
			fail("%s", name)
		}
		checked["notes"]++
	}
	opened, err := note.Open(read("checkpoint-cosigned.txt"), note.VerifierList(everybody...))
	need(err, "cosigned")
	if len(opened.Sigs) != 4 || len(opened.UnverifiedSigs) != 0 {
		fail("%d signatures on the cosigned checkpoint", len(opened.Sigs))
	}
	checked["cosignatures"] += len(opened.Sigs) - 1
	for name, index := range map[string]int64{"entry-12.tlog-proof": 12, "entry-0-alone.tlog-proof": 0} {
		checkProof(read(name), index, small, everybody, origin)
	}
	var refused []struct{ Why, Note string }
	load("refused.json", &refused)
	for _, given := range refused {
		if _, err := note.Open([]byte(given.Note), note.VerifierList(logs[0])); err == nil {
			fail("opened although %s", given.Why)
		}
		checked["refused notes"]++
	}
}

func checkProof(data []byte, index int64, small *grown, known []note.Verifier, origin string) {
	parts := bytes.SplitN(data, []byte("\n\n"), 2)
	lines := strings.Split(string(parts[0]), "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprintf("index %d", index) {
		fail("proof file of %d", index)
	}
	var path []tlog.Hash
	for _, line := range lines[2:] {
		step, err := tlog.ParseHash(line)
		need(err, "proof file")
		path = append(path, step)
	}
	opened, err := note.Open(parts[1], note.VerifierList(known...))
	need(err, "checkpoint of the proof file")
	size, root := body(opened.Text, origin)
	need(tlog.CheckRecord(path, size, root, index, small.stored[tlog.StoredHashIndex(0, index)]), "proof file")
	checked["proof files"]++
}
