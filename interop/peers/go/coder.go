package main

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

var always = context.Background()

type coderSocket struct{ *websocket.Conn }

func newCoder(conn *websocket.Conn) coderSocket {
	conn.SetReadLimit(maxBytes)
	return coderSocket{conn}
}

func (peer coderSocket) read() (message, error) {
	kind, data, err := peer.Read(always)
	var end websocket.CloseError
	if errors.As(err, &end) {
		return message{}, closed{int(end.Code), end.Reason}
	}
	return message{kind == websocket.MessageText, data}, err
}

func coderKind(isText bool) websocket.MessageType {
	if isText {
		return websocket.MessageText
	}
	return websocket.MessageBinary
}

func (peer coderSocket) write(sent message) error {
	return peer.Write(always, coderKind(sent.isText), sent.data)
}

func (peer coderSocket) writeFragments(sent message) error {
	writer, err := peer.Writer(always, coderKind(sent.isText))
	if err != nil {
		return err
	}
	for _, part := range thirds(sent.data) {
		if _, err := writer.Write(part); err != nil {
			return err
		}
	}
	return writer.Close()
}

// Ping returns when the pong came; its payload is its own.
func (peer coderSocket) ping() error {
	if err := peer.Ping(always); err != nil {
		return err
	}
	return peer.write(message{true, []byte("pong")})
}

func (peer coderSocket) close(code int, reason string) error {
	if code == 0 {
		code = int(websocket.StatusNoStatusRcvd)
	}
	return peer.Close(websocket.StatusCode(code), reason)
}

func (peer coderSocket) protocol() string { return peer.Subprotocol() }

func coderMode(compression *deflate) websocket.CompressionMode {
	if compression == nil {
		return websocket.CompressionDisabled
	}
	if compression.ServerNoContextTakeover && compression.ClientNoContextTakeover {
		return websocket.CompressionNoContextTakeover
	}
	return websocket.CompressionContextTakeover
}

var coderLibrary = library{
	serve: func(listener net.Listener, compression *deflate) {
		_ = http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			wanted := settingsOf(request.URL.String())
			if wanted.isRefused {
				http.Error(response, "who are you?", http.StatusUnauthorized)
				return
			}
			conn, err := websocket.Accept(response, request, &websocket.AcceptOptions{
				Subprotocols:         []string{protocol},
				CompressionMode:      coderMode(compression),
				CompressionThreshold: 1,
			})
			if err != nil {
				return
			}
			defer conn.CloseNow()
			print(exchange(newCoder(conn), wanted))
		}))
	},
	run: func(wanted spec) report {
		conn, response, err := websocket.Dial(always, wanted.URL, &websocket.DialOptions{
			Subprotocols:         wanted.Protocols,
			CompressionMode:      coderMode(wanted.Deflate),
			CompressionThreshold: 1,
		})
		if err != nil && response != nil && response.StatusCode != http.StatusSwitchingProtocols {
			return report{Status: response.StatusCode}
		}
		if err != nil {
			return report{Error: err.Error()}
		}
		defer conn.CloseNow()
		return exchange(newCoder(conn), settingsOf(wanted.URL))
	},
}
