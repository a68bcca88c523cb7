package main

import (
	"bufio"
	"compress/flate"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// The fast level: the default is the best.
var gobwasHelper = wsflate.Helper{
	Compressor: func(output io.Writer) wsflate.Compressor {
		compressor, _ := flate.NewWriter(output, flate.BestSpeed)
		return compressor
	},
	Decompressor: func(input io.Reader) wsflate.Decompressor { return flate.NewReader(input) },
}

// A connection by frames. Its helpers for compression keep no context.
type gobwasSocket struct {
	net.Conn
	input        io.Reader
	isClient     bool
	isCompressed bool
	name         string
}

func (peer *gobwasSocket) send(frame ws.Frame) error {
	if peer.isClient {
		frame = ws.MaskFrame(frame)
	}
	return ws.WriteFrame(peer, frame)
}

func (peer *gobwasSocket) read() (message, error) {
	for {
		frame, err := ws.ReadFrame(peer.input)
		if err != nil {
			return message{}, err
		}
		if frame.Header.Masked {
			frame = ws.UnmaskFrame(frame)
		}
		switch frame.Header.OpCode {
		case ws.OpPing:
			err = peer.send(ws.NewPongFrame(frame.Payload))
		case ws.OpPong:
			err = peer.write(message{true, append([]byte("pong "), frame.Payload...)})
		case ws.OpClose:
			_ = peer.send(ws.NewCloseFrame(frame.Payload))
			code, reason := ws.ParseCloseFrameData(frame.Payload)
			if code.Empty() {
				code = ws.StatusNoStatusRcvd
			}
			return message{}, closed{int(code), reason}
		default:
			if !frame.Header.Fin {
				return message{}, errors.New("a fragment")
			}
			if peer.isCompressed {
				frame, err = gobwasHelper.DecompressFrame(frame)
			}
			if err == nil {
				return message{frame.Header.OpCode == ws.OpText, frame.Payload}, nil
			}
		}
		if err != nil {
			return message{}, err
		}
	}
}

func gobwasKind(isText bool) ws.OpCode {
	if isText {
		return ws.OpText
	}
	return ws.OpBinary
}

func (peer *gobwasSocket) write(sent message) error {
	frame := ws.NewFrame(gobwasKind(sent.isText), true, sent.data)
	if peer.isCompressed {
		var err error
		if frame, err = gobwasHelper.CompressFrame(frame); err != nil {
			return err
		}
	}
	return peer.send(frame)
}

func (peer *gobwasSocket) writeFragments(sent message) error {
	parts := thirds(sent.data)
	kind := gobwasKind(sent.isText)
	for at, part := range parts {
		if err := peer.send(ws.NewFrame(kind, at == len(parts)-1, part)); err != nil {
			return err
		}
		kind = ws.OpContinuation
	}
	return nil
}

func (peer *gobwasSocket) ping() error { return peer.send(ws.NewPingFrame([]byte("peer"))) }

func (peer *gobwasSocket) close(code int, reason string) error {
	if code == 0 {
		return peer.send(ws.NewCloseFrame(nil))
	}
	return peer.send(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), reason)))
}

func (peer *gobwasSocket) protocol() string { return peer.name }

func gobwasParameters(compression *deflate) wsflate.Parameters {
	parameters := wsflate.DefaultParameters
	parameters.ServerMaxWindowBits = wsflate.WindowBits(compression.ServerMaxWindowBits)
	parameters.ClientMaxWindowBits = wsflate.WindowBits(compression.ClientMaxWindowBits)
	return parameters
}

func gobwasServe(conn net.Conn, compression *deflate) {
	defer conn.Close()
	var wanted settings
	upgrader := ws.Upgrader{
		Protocol: func(offered []byte) bool { return string(offered) == protocol },
		OnRequest: func(uri []byte) error {
			wanted = settingsOf(string(uri))
			if wanted.isRefused {
				return ws.RejectConnectionError(ws.RejectionStatus(http.StatusUnauthorized))
			}
			return nil
		},
	}
	var extension wsflate.Extension
	if compression != nil {
		extension.Parameters = gobwasParameters(compression)
		upgrader.Negotiate = extension.Negotiate
	}
	agreed, err := upgrader.Upgrade(conn)
	if err != nil {
		return
	}
	_, isCompressed := extension.Accepted()
	print(exchange(&gobwasSocket{conn, conn, false, isCompressed, agreed.Protocol}, wanted))
}

var gobwasLibrary = library{
	serve: func(listener net.Listener, compression *deflate) {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go gobwasServe(conn, compression)
		}
	},
	run: func(wanted spec) report {
		dialer := ws.Dialer{Protocols: wanted.Protocols}
		if wanted.Deflate != nil {
			dialer.Extensions = []httphead.Option{gobwasParameters(wanted.Deflate).Option()}
		}
		conn, buffered, agreed, err := dialer.Dial(always, wanted.URL)
		var status ws.StatusError
		if errors.As(err, &status) {
			return report{Status: int(status)}
		}
		if err != nil {
			return report{Error: err.Error()}
		}
		defer conn.Close()
		input := io.Reader(conn)
		if buffered != nil {
			input = bufio.NewReader(io.MultiReader(io.LimitReader(buffered, int64(buffered.Buffered())), conn))
		}
		peer := &gobwasSocket{conn, input, true, len(agreed.Extensions) > 0, agreed.Protocol}
		return exchange(peer, settingsOf(wanted.URL))
	},
}
