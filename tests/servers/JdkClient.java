import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** The JDK's client at its defaults: arguments are the address, a key, a path, and the bodies to post to it. */
public class JdkClient {
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    static HttpRequest post(String[] words, BodyPublisher body) {
        return HttpRequest.newBuilder(URI.create(words[0] + words[2]))
            .header("X-API-Key", words[1]).header("Content-Type", "application/json").POST(body).build();
    }

    public static void main(String[] words) throws Exception {
        List<Supplier<BodyPublisher>> bodies = new ArrayList<>();
        for (int at = 3; at < words.length; at++) {
            byte[] body = words[at].getBytes("UTF-8");
            bodies.add(() -> BodyPublishers.ofByteArray(body));
            bodies.add(() -> BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)));
        }
        HttpRequest health = HttpRequest.newBuilder(URI.create(words[0] + "/healthz")).build();
        System.out.println(CLIENT.send(health, BodyHandlers.ofString()).statusCode());
        for (Supplier<BodyPublisher> body : bodies) // one after the other
            System.out.println(CLIENT.send(post(words, body.get()), BodyHandlers.ofString()).statusCode());
        var together = bodies.stream()
            .map(body -> HttpClient.newHttpClient().sendAsync(post(words, body.get()), BodyHandlers.ofString())).toList();
        for (var answer : together) // all at once, each over a connection of its own, whose first request it is
            System.out.println(answer.get().statusCode());
    }
}
