package main

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/lxzan/gws"
)

// Its events, as the reads of the others.
type gwsSocket struct {
	gws.BuiltinEventHandler
	conn   *gws.Conn
	wanted settings
	events chan gwsEvent
}

type gwsEvent struct {
	received message
	err      error
}

func newGws(wanted settings) *gwsSocket {
	return &gwsSocket{wanted: wanted, events: make(chan gwsEvent, 64)}
}

func (peer *gwsSocket) OnMessage(_ *gws.Conn, received *gws.Message) {
	defer received.Close()
	peer.events <- gwsEvent{received: message{received.Opcode == gws.OpcodeText, bytes.Clone(received.Bytes())}}
}

func (peer *gwsSocket) OnPing(conn *gws.Conn, payload []byte) { _ = conn.WritePong(payload) }

func (peer *gwsSocket) OnPong(conn *gws.Conn, payload []byte) {
	_ = conn.WriteString("pong " + string(payload))
}

func (peer *gwsSocket) OnClose(_ *gws.Conn, err error) {
	var end *gws.CloseError
	if errors.As(err, &end) {
		code := int(end.Code)
		if code == 0 {
			code = 1005
		}
		err = closed{code, string(end.Reason)}
	}
	peer.events <- gwsEvent{err: err}
}

func (peer *gwsSocket) read() (message, error) {
	event := <-peer.events
	return event.received, event.err
}

func gwsKind(isText bool) gws.Opcode {
	if isText {
		return gws.OpcodeText
	}
	return gws.OpcodeBinary
}

func (peer *gwsSocket) write(sent message) error {
	return peer.conn.WriteMessage(gwsKind(sent.isText), sent.data)
}

// It cuts what it reads into frames of 128 KiB.
func (peer *gwsSocket) writeFragments(sent message) error {
	return peer.conn.WriteFile(gwsKind(sent.isText), bytes.NewReader(sent.data))
}

func (peer *gwsSocket) ping() error { return peer.conn.WritePing([]byte("peer")) }

func (peer *gwsSocket) close(code int, reason string) error {
	return peer.conn.WriteClose(uint16(code), []byte(reason))
}

func (peer *gwsSocket) protocol() string { return peer.conn.SubProtocol() }

func gwsDeflate(compression *deflate) gws.PermessageDeflate {
	if compression == nil {
		return gws.PermessageDeflate{}
	}
	return gws.PermessageDeflate{
		Enabled:               true,
		ServerContextTakeover: !compression.ServerNoContextTakeover,
		ClientContextTakeover: !compression.ClientNoContextTakeover,
		ServerMaxWindowBits:   compression.ServerMaxWindowBits,
		ClientMaxWindowBits:   compression.ClientMaxWindowBits,
		Threshold:             1,
	}
}

var gwsLibrary = library{
	serve: func(listener net.Listener, compression *deflate) {
		_ = http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			wanted := settingsOf(request.URL.String())
			if wanted.isRefused {
				http.Error(response, "who are you?", http.StatusUnauthorized)
				return
			}
			peer := newGws(wanted)
			option := gws.ServerOption{
				PermessageDeflate:   gwsDeflate(compression),
				ReadMaxPayloadSize:  maxBytes,
				WriteMaxPayloadSize: maxBytes,
			}
			// With some it refuses a client that offers none.
			if request.Header.Get("Sec-WebSocket-Protocol") != "" {
				option.SubProtocols = []string{protocol}
			}
			conn, err := gws.NewUpgrader(peer, &option).Upgrade(response, request)
			if err != nil {
				return
			}
			peer.conn = conn
			go conn.ReadLoop()
			print(exchange(peer, wanted))
		}))
	},
	run: func(wanted spec) report {
		peer := newGws(settingsOf(wanted.URL))
		header := http.Header{}
		if len(wanted.Protocols) > 0 {
			header.Set("Sec-WebSocket-Protocol", strings.Join(wanted.Protocols, ", "))
		}
		conn, response, err := gws.NewClient(peer, &gws.ClientOption{
			Addr:                wanted.URL,
			PermessageDeflate:   gwsDeflate(wanted.Deflate),
			RequestHeader:       header,
			ReadMaxPayloadSize:  maxBytes,
			WriteMaxPayloadSize: maxBytes,
		})
		if err != nil && response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			return report{Status: response.StatusCode}
		}
		if err != nil {
			return report{Error: err.Error()}
		}
		peer.conn = conn
		go conn.ReadLoop()
		return exchange(peer, peer.wanted)
	},
}
