import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import io.netty.handler.codec.http.websocketx.extensions.compression.WebSocketClientCompressionHandler;
import io.netty.util.ReferenceCountUtil;
import java.net.URI;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Netty with its compression handler, at its defaults. */
final class NettyClient {
  static String run(String url) throws Exception {
    URI uri = URI.create(url);
    NioEventLoopGroup group = new NioEventLoopGroup(1);
    try {
      CompletableFuture<String> result = new CompletableFuture<>();
      Bootstrap bootstrap =
          new Bootstrap()
              .group(group)
              .channel(NioSocketChannel.class)
              .handler(
                  new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                      channel
                          .pipeline()
                          .addLast(
                              new HttpClientCodec(),
                              new HttpObjectAggregator(65536),
                              WebSocketClientCompressionHandler.INSTANCE,
                              new Handler(uri, result));
                    }
                  });
      Channel channel = bootstrap.connect(uri.getHost(), uri.getPort()).sync().channel();
      String extensions = result.get(20, TimeUnit.SECONDS);
      channel.writeAndFlush(new CloseWebSocketFrame(1000, "")).await(1000);
      return extensions;
    } finally {
      group.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }
  }

  private static final class Handler extends ChannelInboundHandlerAdapter {
    private final WebSocketClientHandshaker handshaker;
    private final CompletableFuture<String> result;
    private String extensions = "";
    private int received;

    Handler(URI uri, CompletableFuture<String> result) {
      this.result = result;
      handshaker =
          WebSocketClientHandshakerFactory.newHandshaker(
              uri, WebSocketVersion.V13, null, true, new DefaultHttpHeaders());
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      handshaker.handshake(context.channel());
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      try {
        if (message instanceof FullHttpResponse response) {
          extensions = String.valueOf(response.headers().get("Sec-WebSocket-Extensions"));
          handshaker.finishHandshake(context.channel(), response);
        } else if (message instanceof TextWebSocketFrame frame) {
          if (!frame.text().equals(Peer.message(received))) throw new IllegalStateException("another text");
          if (++received == Peer.MESSAGES) {
            result.complete(extensions);
            return;
          }
        } else if (message instanceof CloseWebSocketFrame frame) {
          throw new IllegalStateException("closed with " + frame.statusCode());
        }
        context.writeAndFlush(new TextWebSocketFrame(Peer.message(received)));
      } finally {
        ReferenceCountUtil.release(message);
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      result.completeExceptionally(new IllegalStateException("lost"));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
      result.completeExceptionally(error);
      context.close();
    }
  }
}
