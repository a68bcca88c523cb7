package main

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

type gorillaSocket struct{ *websocket.Conn }

func newGorilla(conn *websocket.Conn) gorillaSocket {
	conn.SetReadLimit(maxBytes)
	conn.SetPongHandler(func(data string) error {
		return conn.WriteMessage(websocket.TextMessage, []byte("pong "+data))
	})
	return gorillaSocket{conn}
}

func (peer gorillaSocket) read() (message, error) {
	kind, data, err := peer.ReadMessage()
	var end *websocket.CloseError
	if errors.As(err, &end) {
		return message{}, closed{end.Code, end.Text}
	}
	return message{kind == websocket.TextMessage, data}, err
}

func gorillaKind(isText bool) int {
	if isText {
		return websocket.TextMessage
	}
	return websocket.BinaryMessage
}

func (peer gorillaSocket) write(sent message) error {
	return peer.WriteMessage(gorillaKind(sent.isText), sent.data)
}

// Its writer sends a frame for each buffer full.
func (peer gorillaSocket) writeFragments(sent message) error {
	writer, err := peer.NextWriter(gorillaKind(sent.isText))
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

func (peer gorillaSocket) ping() error {
	return peer.WriteControl(websocket.PingMessage, []byte("peer"), time.Now().Add(time.Second))
}

func (peer gorillaSocket) close(code int, reason string) error {
	if code == 0 {
		code = websocket.CloseNoStatusReceived
	}
	return peer.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
}

func (peer gorillaSocket) protocol() string { return peer.Subprotocol() }

// Short messages go in several frames where they are wanted.
func gorillaBuffer(wanted settings) int {
	if wanted.action == "fragments" {
		return 16
	}
	return 4096
}

var gorillaLibrary = library{
	serve: func(listener net.Listener, compression *deflate) {
		_ = http.Serve(listener, http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
			wanted := settingsOf(request.URL.String())
			if wanted.isRefused {
				http.Error(response, "who are you?", http.StatusUnauthorized)
				return
			}
			upgrader := websocket.Upgrader{
				EnableCompression: compression != nil,
				Subprotocols:      []string{protocol},
				WriteBufferSize:   gorillaBuffer(wanted),
			}
			conn, err := upgrader.Upgrade(response, request, nil)
			if err != nil {
				return
			}
			defer conn.Close()
			print(exchange(newGorilla(conn), wanted))
		}))
	},
	run: func(wanted spec) report {
		asked := settingsOf(wanted.URL)
		dialer := websocket.Dialer{
			EnableCompression: wanted.Deflate != nil,
			Subprotocols:      wanted.Protocols,
			WriteBufferSize:   gorillaBuffer(asked),
		}
		conn, response, err := dialer.Dial(wanted.URL, nil)
		if errors.Is(err, websocket.ErrBadHandshake) {
			return report{Status: response.StatusCode}
		}
		if err != nil {
			return report{Error: err.Error()}
		}
		defer conn.Close()
		return exchange(newGorilla(conn), asked)
	},
}
