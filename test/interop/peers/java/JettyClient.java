import java.net.URI;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.websocket.api.Callback;
import org.eclipse.jetty.websocket.api.Session;
import org.eclipse.jetty.websocket.client.ClientUpgradeRequest;
import org.eclipse.jetty.websocket.client.WebSocketClient;

/** Jetty's client, which offers compression when it is told the extension's name, and all else at its defaults. */
final class JettyClient {
  static String run(String url) throws Exception {
    WebSocketClient client = new WebSocketClient();
    client.start();
    try {
      Endpoint endpoint = new Endpoint();
      ClientUpgradeRequest request = new ClientUpgradeRequest();
      request.addExtensions("permessage-deflate");
      client.connect(endpoint, URI.create(url), request).get(10, TimeUnit.SECONDS);
      return endpoint.result.get(20, TimeUnit.SECONDS);
    } finally {
      client.stop();
    }
  }

  /** Public for Jetty, which calls it by reflection. */
  public static final class Endpoint implements Session.Listener.AutoDemanding {
    final CompletableFuture<String> result = new CompletableFuture<>();
    private Session session;
    private int received;

    @Override
    public void onWebSocketOpen(Session session) {
      this.session = session;
      send();
    }

    @Override
    public void onWebSocketText(String text) {
      if (!text.equals(Peer.message(received))) {
        result.completeExceptionally(new IllegalStateException("another text"));
      } else if (++received == Peer.MESSAGES) {
        result.complete(session.getUpgradeResponse().getExtensions().toString());
        session.close();
      } else {
        send();
      }
    }

    @Override
    public void onWebSocketError(Throwable error) {
      result.completeExceptionally(error);
    }

    @Override
    public void onWebSocketClose(int code, String reason) {
      result.completeExceptionally(new IllegalStateException("closed with " + code + " " + reason));
    }

    private void send() {
      session.sendText(Peer.message(received), Callback.NOOP);
    }
  }
}
