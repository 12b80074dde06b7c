import java.io.FileInputStream;
import java.io.InputStream;
import java.util.TreeSet;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.validation.profiles.Profiles;

/** Says of every PDF given whether it is PDF/A-3a and PDF/UA-1, and which rules it breaks. */
public class Check {
    private static final String[][] LEVELS = {{"3a", "PDFA-3A"}, {"ua1", "PDFUA-1"}};

    public static void main(String[] files) throws Exception {
        java.util.logging.Logger.getLogger("").setLevel(java.util.logging.Level.SEVERE);
        VeraGreenfieldFoundryProvider.initialise();
        var foundry = Foundries.defaultInstance();
        boolean good = true;
        for (String name : files) {
            for (String[] level : LEVELS) {
                String rules = "/org/verapdf/pdfa/validation/" + level[1] + ".xml";
                try (InputStream profile = Check.class.getResourceAsStream(rules);
                     InputStream file = new FileInputStream(name);
                     var parser = foundry.createParser(file, PDFAFlavour.fromString(level[0]));
                     var validator = foundry.createValidator(
                         Profiles.profileFromXml(profile), 100, false, false, false)) {
                    var result = validator.validate(parser);
                    var broken = new TreeSet<String>();
                    for (TestAssertion told : result.getTestAssertions())
                        if (told.getStatus() == TestAssertion.Status.FAILED)
                            broken.add(told.getRuleId().getClause() + ": " + told.getMessage());
                    good &= result.isCompliant();
                    System.out.println(level[0] + " " + name + (result.isCompliant() ? " holds" : " fails"));
                    broken.forEach(line -> System.out.println("  " + line));
                }
            }
        }
        System.exit(good ? 0 : 1);
    }
}
