import java.io.File;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Scanner;
import org.dmg.pmml.ResultFeature;
import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.EvaluatorUtil;
import org.jpmml.evaluator.FieldValue;
import org.jpmml.evaluator.HasProbability;
import org.jpmml.evaluator.InputField;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;
import org.jpmml.evaluator.TargetField;

/** JPMML as an oracle: each line of standard input names a PMML file, a table and where the answers go, by tabs. */
public class Oracle {
    private static final String MISSING = "\\N";

    public static void main(String[] none) throws Exception {
        Scanner asked = new Scanner(System.in, StandardCharsets.UTF_8);
        while (asked.hasNextLine()) {
            String[] paths = asked.nextLine().split("\t");
            String said;
            try {
                answer(new File(paths[0]), Path.of(paths[1]), Path.of(paths[2]));
                said = "done";
            } catch (Exception error) {
                said = "failed " + error.toString().replaceAll("\\s+", " ");
            }
            System.out.println(said);
            System.out.flush();
        }
    }

    private static void answer(File model, Path table, Path out) throws Exception {
        LoadingModelEvaluatorBuilder builder = new LoadingModelEvaluatorBuilder().load(model);
        builder.setExtraResultFeatures(EnumSet.of(ResultFeature.PROBABILITY));  // else it may leave them out
        Evaluator evaluator = builder.build();
        evaluator.verify();
        List<String> lines = Files.readAllLines(table, StandardCharsets.UTF_8);
        String[] names = lines.get(0).split("\t", -1);
        try (PrintWriter writer = new PrintWriter(out.toFile(), StandardCharsets.UTF_8)) {
            for (String line : lines.subList(1, lines.size())) {
                writer.println(json(row(evaluator, names, line.split("\t", -1))));
            }
        }
    }

    private static Map<String, Object> row(Evaluator evaluator, String[] names, String[] cells) {
        Map<String, Object> answer = new LinkedHashMap<>();
        try {
            Map<String, FieldValue> arguments = new LinkedHashMap<>();
            for (InputField field : evaluator.getInputFields()) {
                Object raw = null;
                for (int at = 0; at < names.length; at++) {
                    if (names[at].equals(field.getName()) && !cells[at].equals(MISSING)) {
                        raw = cells[at];
                    }
                }
                arguments.put(field.getName(), field.prepare(raw));
            }
            Map<String, ?> results = evaluator.evaluate(arguments);
            for (TargetField target : evaluator.getTargetFields()) {
                Object found = results.get(target.getName());
                if (found instanceof HasProbability) {
                    HasProbability shares = (HasProbability) found;
                    Map<String, Object> told = new LinkedHashMap<>();
                    for (Object category : shares.getCategories()) {
                        told.put(String.valueOf(category), shares.getProbability(category));
                    }
                    answer.put("probabilities", told);
                }
                answer.put("target", EvaluatorUtil.decode(found));
            }
            Map<String, Object> outputs = new LinkedHashMap<>();
            evaluator.getOutputFields().forEach(field ->
                outputs.put(field.getName(), EvaluatorUtil.decode(results.get(field.getName()))));
            answer.put("outputs", outputs);
        } catch (RuntimeException error) {
            answer.clear();
            answer.put("error", error.toString());
        }
        return answer;
    }

    private static String json(Object value) {
        if (value == null) {
            return "null";
        }
        if (value instanceof Map) {
            StringBuilder text = new StringBuilder("{");
            for (Map.Entry<?, ?> each : ((Map<?, ?>) value).entrySet()) {
                text.append(text.length() > 1 ? "," : "").append(quoted(String.valueOf(each.getKey())));
                text.append(":").append(json(each.getValue()));
            }
            return text.append("}").toString();
        }
        if (value instanceof Number) {
            double number = ((Number) value).doubleValue();
            return Double.isFinite(number) ? value.toString() : quoted(value.toString());
        }
        return value instanceof Boolean ? value.toString() : quoted(value.toString());
    }

    private static String quoted(String text) {
        StringBuilder found = new StringBuilder("\"");
        for (char each : text.toCharArray()) {
            if (each == '"' || each == '\\') {
                found.append('\\').append(each);
            } else if (each < ' ') {
                found.append(String.format("\\u%04x", (int) each));
            } else {
                found.append(each);
            }
        }
        return found.append('"').toString();
    }
}
