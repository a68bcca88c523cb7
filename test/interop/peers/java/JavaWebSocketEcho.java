import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.java_websocket.WebSocket;
import org.java_websocket.drafts.Draft_6455;
import org.java_websocket.extensions.permessage_deflate.PerMessageDeflateExtension;
import org.java_websocket.handshake.ClientHandshake;
import org.java_websocket.server.WebSocketServer;

/** Java-WebSocket with its permessage-deflate. */
final class JavaWebSocketEcho extends WebSocketServer {
  private final CompletableFuture<Integer> port = new CompletableFuture<>();

  private JavaWebSocketEcho() {
    super(
        new InetSocketAddress("127.0.0.1", 0),
        1,
        List.of(new Draft_6455(new PerMessageDeflateExtension())));
    setDaemon(true);
  }

  static int listen() throws Exception {
    JavaWebSocketEcho server = new JavaWebSocketEcho();
    server.start();
    return server.port.get(10, TimeUnit.SECONDS);
  }

  @Override
  public void onStart() {
    port.complete(getPort());
  }

  @Override
  public void onMessage(WebSocket socket, String text) {
    socket.send(text);
  }

  @Override
  public void onMessage(WebSocket socket, ByteBuffer bytes) {
    socket.send(bytes);
  }

  @Override
  public void onError(WebSocket socket, Exception error) {
    port.completeExceptionally(error);
  }

  @Override
  public void onOpen(WebSocket socket, ClientHandshake handshake) {}

  @Override
  public void onClose(WebSocket socket, int code, String reason, boolean remote) {}
}
