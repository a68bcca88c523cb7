// gorilla/websocket, coder/websocket, gobwas/ws and lxzan/gws, each in both roles: `peer NAME serve CONFIGS` and `peer NAME
// client`. README.md of interop has the protocol.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
)

const (
	protocol = "interop.b"
	maxBytes = 32 * 1024 * 1024
)

type deflate struct {
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool
	ServerMaxWindowBits     int
	ClientMaxWindowBits     int
}

type spec struct {
	Case      string
	URL       string
	Protocols []string
	Deflate   *deflate
}

type report struct {
	Case        string  `json:"case"`
	Open        bool    `json:"open"`
	Protocol    *string `json:"protocol,omitempty"`
	CloseCode   *int    `json:"closeCode,omitempty"`
	CloseReason *string `json:"closeReason,omitempty"`
	Status      int     `json:"status,omitempty"`
	Error       string  `json:"error,omitempty"`
}

// What a URL asks for. code is 0 for a Close frame without one.
type settings struct {
	id, action, reason string
	code               int
	isRefused          bool
}

func settingsOf(text string) settings {
	parsed, _ := url.Parse(text)
	query := parsed.Query()
	code, _ := strconv.Atoi(query.Get("code"))
	return settings{query.Get("case"), query.Get("do"), query.Get("reason"), code, parsed.Path == "/401"}
}

// A message, or the end of the connection.
type message struct {
	isText bool
	data   []byte
}

type closed struct {
	code   int
	reason string
}

func (closed) Error() string { return "closed" }

// A connection of any of the four. Pings are answered by it; a pong makes it send `pong` and the payload, where shown.
type socket interface {
	read() (message, error)
	write(message) error
	writeFragments(message) error
	ping() error
	close(code int, reason string) error
	protocol() string
}

func exchange(peer socket, wanted settings) report {
	name := peer.protocol()
	result := report{Case: wanted.id, Open: true, Protocol: &name}
	if wanted.action == "ping" {
		go peer.ping()
	}
	if wanted.action == "close" {
		if err := peer.close(wanted.code, wanted.reason); err != nil {
			result.Error = err.Error()
			return result
		}
	}
	for {
		received, err := peer.read()
		if end, isClosed := err.(closed); isClosed {
			result.CloseCode, result.CloseReason = &end.code, &end.reason
			return result
		}
		if err == nil && wanted.action == "fragments" {
			err = peer.writeFragments(received)
		} else if err == nil {
			err = peer.write(received)
		}
		if err != nil {
			// After its own Close frame the end may be that of TCP.
			if wanted.action != "close" {
				result.Error = err.Error()
			}
			return result
		}
	}
}

func thirds(data []byte) [][]byte {
	size := (len(data) + 2) / 3
	return slices.Collect(slices.Chunk(data, size))
}

var output sync.Mutex

func print(value any) {
	text, _ := json.Marshal(value)
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(text))
}

// A library: how it serves a listener, and how it runs a client, which gives what is reported.
type library struct {
	serve func(net.Listener, *deflate)
	run   func(spec) report
}

func main() {
	libraries := map[string]library{"gorilla": gorillaLibrary, "coder": coderLibrary, "gobwas": gobwasLibrary, "gws": gwsLibrary}
	chosen := libraries[os.Args[1]]
	if os.Args[2] == "serve" {
		var configs []struct {
			Name    string
			Deflate *deflate
		}
		if err := json.Unmarshal([]byte(os.Args[3]), &configs); err != nil {
			panic(err)
		}
		for _, config := range configs {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				panic(err)
			}
			go chosen.serve(listener, config.Deflate)
			print(map[string]any{"listening": config.Name, "port": listener.Addr().(*net.TCPAddr).Port})
		}
		select {}
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var wanted spec
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			panic(err)
		}
		result := chosen.run(wanted)
		result.Case = wanted.Case
		print(result)
	}
}
