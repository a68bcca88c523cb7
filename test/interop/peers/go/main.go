// The Go peers of the interop tests: an echo for each of two servers, and one client for each line of input.
//
// It prints `server NAME PORT` for each server and `ready`. A line `NAME URL` runs a client: 200 messages to an echo, each
// sent when the one before it came back; it prints `client NAME ok EXTENSIONS` or `client NAME failed: WHY`. It ends with
// its input.
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"
)

const messages = 200

// Varied JSON, of which each repeats parts of those before it: 1 KiB to 4 KiB.
func message(number int) string {
	var text strings.Builder
	fmt.Fprintf(&text, `{"number":%d`, number)
	state := int64(number + 1)
	for text.Len() < 1024*(1+number%4) {
		state = (state*1103515245 + 12345) & 0x7fffffff
		fmt.Fprintf(&text, `,"key%d":"value %d"`, state%50, state>>8)
	}
	text.WriteString("}")
	return text.String()
}

func serve(name string, handler http.Handler) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("server %s %d\n", name, listener.Addr().(*net.TCPAddr).Port)
	go func() { panic(http.Serve(listener, handler)) }()
}

func gorillaEcho(response http.ResponseWriter, request *http.Request) {
	upgrader := websocket.Upgrader{EnableCompression: true}
	socket, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	defer socket.Close()
	for {
		kind, data, err := socket.ReadMessage()
		if err != nil || socket.WriteMessage(kind, data) != nil {
			return
		}
	}
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	_ = socket.WriteMessage(message.Opcode, message.Bytes())
}

// Context is kept both ways wherever the client lets it be; all else is at its defaults.
var gwsDeflate = gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true}

func gwsHandler() http.Handler {
	upgrader := gws.NewUpgrader(&gwsEcho{}, &gws.ServerOption{PermessageDeflate: gwsDeflate})
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if socket, err := upgrader.Upgrade(response, request); err == nil {
			go socket.ReadLoop()
		}
	})
}

func gorillaClient(url string) (string, error) {
	dialer := websocket.Dialer{EnableCompression: true, HandshakeTimeout: 10 * time.Second}
	socket, response, err := dialer.Dial(url, nil)
	if err != nil {
		return "", err
	}
	defer socket.Close()
	_ = socket.SetReadDeadline(time.Now().Add(20 * time.Second))
	for i := 0; i < messages; i++ {
		if err := socket.WriteMessage(websocket.TextMessage, []byte(message(i))); err != nil {
			return "", err
		}
		_, data, err := socket.ReadMessage()
		if err != nil {
			return "", err
		}
		if string(data) != message(i) {
			return "", fmt.Errorf("another text")
		}
	}
	return response.Header.Get("Sec-WebSocket-Extensions"), nil
}

type gwsClientHandler struct {
	gws.BuiltinEventHandler
	received int
	done     chan error
}

func (handler *gwsClientHandler) OnMessage(socket *gws.Conn, received *gws.Message) {
	defer received.Close()
	if string(received.Bytes()) != message(handler.received) {
		handler.done <- fmt.Errorf("another text")
		return
	}
	handler.received++
	if handler.received == messages {
		handler.done <- nil
		return
	}
	_ = socket.WriteString(message(handler.received))
}

func (handler *gwsClientHandler) OnClose(_ *gws.Conn, err error) {
	handler.done <- fmt.Errorf("closed: %w", err)
}

func gwsClient(url string) (string, error) {
	handler := &gwsClientHandler{done: make(chan error, 2)}
	socket, response, err := gws.NewClient(handler, &gws.ClientOption{Addr: url, PermessageDeflate: gwsDeflate})
	if err != nil {
		return "", err
	}
	defer func() { _ = socket.NetConn().Close() }()
	go socket.ReadLoop()
	if err := socket.WriteString(message(0)); err != nil {
		return "", err
	}
	select {
	case err := <-handler.done:
		return response.Header.Get("Sec-WebSocket-Extensions"), err
	case <-time.After(20 * time.Second):
		return "", fmt.Errorf("no answer")
	}
}

func main() {
	clients := map[string]func(string) (string, error){"gorilla": gorillaClient, "gws": gwsClient}
	serve("gorilla", http.HandlerFunc(gorillaEcho))
	serve("gws", gwsHandler())
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		extensions, err := clients[words[0]](words[1])
		if err != nil {
			fmt.Printf("client %s failed: %s\n", words[0], err)
		} else {
			fmt.Printf("client %s ok %s\n", words[0], extensions)
		}
	}
}
