import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakeException;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketClientProtocolHandler;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolConfig;
import io.netty.handler.codec.http.websocketx.WebSocketServerProtocolHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketClientExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.WebSocketServerExtensionHandler;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateClientExtensionHandshaker;
import io.netty.handler.codec.http.websocketx.extensions.compression.PerMessageDeflateServerExtensionHandshaker;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Netty, in both roles. */
final class NettyPeer implements Program.Library {
  private static final int LEVEL = 6;

  private final EventLoopGroup group = new NioEventLoopGroup(1);

  @FunctionalInterface
  private interface Setup {
    void accept(Channel channel);
  }

  private static ChannelHandler initializer(Setup setup) {
    return new ChannelInitializer<SocketChannel>() {
      @Override
      protected void initChannel(SocketChannel channel) {
        setup.accept(channel);
      }
    };
  }

  @Override
  public int serve(Map<String, Object> deflate) throws Exception {
    WebSocketServerProtocolConfig config =
        WebSocketServerProtocolConfig.newBuilder()
            .websocketPath("/echo")
            .checkStartsWith(true)
            .subprotocols(Program.PROTOCOL)
            .allowExtensions(true)
            .maxFramePayloadLength(Program.MAX_BYTES)
            .handleCloseFrames(false)
            .dropPongFrames(false)
            .build();
    Setup setup =
        channel -> {
          channel.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(65536), new Refusal());
          if (deflate != null) {
            channel
                .pipeline()
                .addLast(
                    new WebSocketServerExtensionHandler(
                        new PerMessageDeflateServerExtensionHandshaker(
                            LEVEL,
                            true,
                            Program.bits(deflate, "clientMaxWindowBits"),
                            true,
                            Program.isSet(deflate, "clientNoContextTakeover"))));
          }
          channel
              .pipeline()
              .addLast(
                  new WebSocketServerProtocolHandler(config),
                  new WebSocketFrameAggregator(Program.MAX_BYTES),
                  new Echo(null));
        };
    Channel channel =
        new ServerBootstrap()
            .group(group)
            .channel(NioServerSocketChannel.class)
            .childHandler(initializer(setup))
            .bind("127.0.0.1", 0)
            .sync()
            .channel();
    return ((InetSocketAddress) channel.localAddress()).getPort();
  }

  @Override
  public CompletableFuture<Map<String, Object>> run(
      URI uri, String[] protocols, Map<String, Object> deflate) throws Exception {
    WebSocketClientProtocolHandler handler =
        new WebSocketClientProtocolHandler(
            WebSocketClientProtocolConfig.newBuilder()
                .webSocketUri(uri)
                .subprotocol(protocols.length == 0 ? null : String.join(",", protocols))
                .allowExtensions(true)
                .maxFramePayloadLength(Program.MAX_BYTES)
                .handleCloseFrames(false)
                .dropPongFrames(false)
                .build());
    Echo echo = new Echo(Program.Settings.of(uri));
    echo.client = handler;
    Setup setup =
        channel -> {
          channel.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(65536));
          if (deflate != null) {
            channel
                .pipeline()
                .addLast(
                    new WebSocketClientExtensionHandler(
                        new PerMessageDeflateClientExtensionHandshaker(
                            LEVEL,
                            true,
                            Program.bits(deflate, "serverMaxWindowBits"),
                            true,
                            Program.isSet(deflate, "serverNoContextTakeover"))));
          }
          channel.pipeline().addLast(handler, new WebSocketFrameAggregator(Program.MAX_BYTES), echo);
        };
    new Bootstrap()
        .group(group)
        .channel(NioSocketChannel.class)
        .handler(initializer(setup))
        .connect(uri.getHost(), uri.getPort());
    return echo.result;
  }

  private static final class Refusal extends SimpleChannelInboundHandler<FullHttpRequest> {
    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpRequest request) {
      if (request.uri().startsWith("/401")) {
        DefaultFullHttpResponse response =
            new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.UNAUTHORIZED);
        response.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0);
        context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
      } else context.fireChannelRead(request.retain());
    }
  }

  private static final class Echo extends ChannelInboundHandlerAdapter {
    final CompletableFuture<Map<String, Object>> result = new CompletableFuture<>();
    WebSocketClientProtocolHandler client;
    private Program.Settings wanted;
    private Map<String, Object> fields = Map.of("open", false);

    Echo(Program.Settings wanted) {
      this.wanted = wanted;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof WebSocketServerProtocolHandler.HandshakeComplete complete) {
        wanted = Program.Settings.of(URI.create(complete.requestUri()));
        result.thenAccept(report -> Program.report(wanted.id(), report));
        begin(context, complete.selectedSubprotocol());
      } else if (event == WebSocketClientProtocolHandler.ClientHandshakeStateEvent.HANDSHAKE_COMPLETE) {
        begin(context, client.handshaker().actualSubprotocol());
      }
    }

    private void begin(ChannelHandlerContext context, String protocol) {
      fields = Program.opened(protocol);
      if (wanted.action().equals("ping")) {
        ByteBuf payload = Unpooled.copiedBuffer("peer", StandardCharsets.UTF_8);
        context.writeAndFlush(new PingWebSocketFrame(payload));
      }
      if (wanted.action().equals("close")) {
        context.writeAndFlush(
            wanted.code() == null
                ? new CloseWebSocketFrame()
                : new CloseWebSocketFrame(wanted.code(), wanted.reason()));
      }
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (message instanceof CloseWebSocketFrame close) {
        fields.put("closeCode", close.statusCode() == -1 ? Program.NO_CODE : close.statusCode());
        fields.put("closeReason", close.reasonText());
        if (wanted.action().equals("close")) {
          close.release();
          context.close();
        } else context.writeAndFlush(close).addListener(ChannelFutureListener.CLOSE);
      } else if (message instanceof PongWebSocketFrame pong) {
        String text = "pong " + pong.content().toString(StandardCharsets.UTF_8);
        pong.release();
        context.writeAndFlush(new TextWebSocketFrame(text));
      } else if (wanted.action().equals("fragments") && message instanceof WebSocketFrame frame) {
        sendFragments(context, frame);
      } else context.writeAndFlush(message);
    }

    private static void sendFragments(ChannelHandlerContext context, WebSocketFrame frame) {
      ByteBuf bytes = frame.content();
      int third = bytes.readableBytes() / 3;
      ByteBuf first = bytes.readRetainedSlice(third);
      context.write(
          frame instanceof TextWebSocketFrame
              ? new TextWebSocketFrame(false, 0, first)
              : new BinaryWebSocketFrame(false, 0, first));
      context.write(new ContinuationWebSocketFrame(false, 0, bytes.readRetainedSlice(third)));
      context.writeAndFlush(new ContinuationWebSocketFrame(true, 0, bytes));
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      result.complete(fields);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
      if (error instanceof WebSocketClientHandshakeException refusal && refusal.response() != null) {
        result.complete(Program.refused(refusal.response().status().code()));
      }
      result.completeExceptionally(error);
      context.close();
    }
  }
}
