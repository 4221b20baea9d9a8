# SPDX-License-Identifier: Apache-2.0
"""English words that are said around a microphone which waits for another one."""

_EVERYDAY = """
about above across action active actually africa after again against air alarm album alexa alexander almost alone
along already always am amanda america amuse an and andrew animal anna answer anthony anyone apple april are around
artist as ask asked asleep assistant at august australia autumn away baby back backward bad bag balcony ball banana
bar barbara base bat bath bathroom battery be beach beat beautiful because bed bedroom been before begin behind
believe bell below belt bend benjamin berlin best better between bicycle big bill bird bit bite black blinds block
blow blue blueberry boat body bone book boot born boston bottle bottom bow bowl box boy boys brain branch bread break
breakfast brightness bring broccoli brother brown brush bug building burger burn bus bush but butter button buy by bye
cable cage cake calendar california call calm came camera camp can canada cancel candle cap capital captain car card
careful carpet carry cart case cash cast castle cat catch cave ceiling center certainly chain chair chalk chance
change channel charlie chase cheap check cheese chest chicago chicken child chin china chip chocolate christopher
circle city clap class claw clay clean clear clever cliff climb clip clock close cloud club coal coat code coffee coin
cold color comb come comfort comfortable coming commander comment common commuter company compare compass complete
composer compute computer concert confirm consumer contact container cook cool cooling copper corn corner cost cotton
couch could count country cousin cover cow crab crack crash cream creature crew crop crowd crown cry cucumber cup
curtain curtains cut dance danger dangerous daniel dark date daughter david dawn day days deal dear december decide
deck deep deer definitely degrees delay delete delicious deliver dentist desk dessert development device dial dice did
different dig dinner directions dirt dish dive do dock doctor does dog doll dollar done door dot double doubt down
downstairs downtown dozen drain draw dream dress drink driver drop drum dry duck dull during dust duty eager ear early
earth east easy eat edge education egg eight either electric eleven elizabeth email emily emma empty end energy engine
enough enter europe evening every everybody everything exit expensive eye face fact fail fairy family famous fan far
farmer fast father favorite fear february feed feel feet fell felt fence fever few field fifty fight figure file fill
film find fine finger finish fire first fish fit five fix flag flash flat flight float floor flow flower fly fold folk
follow food fool foot for forecast forget fork form forward found four fox frank free fresh friday friend frog from
front fruit fuel full funny fur future gain game gap garage garden gas gate gave gear general gentle george germany
get ghost gift girl give glass glow go goal goat gold gone good google got government grab grade grain grand grass
gray great green grill grin grip ground group grow guard guess guest guide guitar guy had hair half hall hallway
hammer hand hang happy harbor hard harry has hat hate have hay he head heal hear heart heat heating heavy heel hello
help hen her here hey hi hide high hill hint his hit hold hole holiday home hook hop hope horse hospital hot hotel
hour house how however hundred hungry husband hut ice idea if important in india information ink inside interesting
internet into iron is isabella island it jack jacket jacob james january japan jar jarvis jaw jelly jennifer jessica
jet job join joke jonathan joseph joy juice julia jump june jungle karen keep kettle kevin key keyboard kick kid kind
king kiss kit kitchen kite knee knew knife knot know lab lack ladder lady lake lamb lamp land lane language lap laptop
large last later laugh laura law lead leaf lean learn leave left leg lemon lend lesson let letter level library lid
lie life lift light lights limb linda line link lion lip lisa list listen little live load loan local lock log london
long look loop lord lost lot loud louder love low lucas luck lunch lung machine made magazine mail main make man
manager many maria mark market martin marvin mary mask mass mat mate matter matthew may maybe me meadow meal mean
measure meat meet melissa melody melt member men message mexico michael michelle middle might mild mile milk million
mind mine mint minute mirror mix model moment monday money monitor month mood moon mop morning moth mother mountain
mouse mouth move movie much mud mug muscle museum music must mute my nail name nancy narrow nation national nature
navigate near nearby neat neck need nest net never new news nicholas night nine no nobody nod noise none noon nope
north nose note nothing november now number nurse nut oak ocean october of off office often oh oil ok okay old olivia
on once one onion only open or orange order oscar other our out outside over own owner pace pack pad page pain paint
pair pan paper parent paris park part party pass passenger password past pasta path patricia patrick pause paw pay
peace peak pear pebble pen pencil people pepper perfect person pet peter phone photo piano pick picture pie pig pile
pillow pilot pin pine pink pipe pit pizza place plan planet plant plastic plate play player playlist please plot plug
plum pocket poem point pole police political pond pool poor pop popular port possible post pot potato pound pour power
pray present press pretty previous price printer prison prize probably problem program promise proof proper public
pull pump purple push put question quick quiet quieter quit rabbit race rachel rack radio rail rain raise rake ramp
rank rat rate raw ray read ready reason rebecca record red remember reminder repeat report rest restaurant resume rib
rice rich richard ride right ring rip rise risk river road roar roast rob robert robot rock rocket rod role roll roof
room root rope rose rot round row rub rubber rug rule run rush sack sad safe said sail salad salt samantha same samuel
sand sandra sandwich sarah saturday sauce save saw say says scale scatter school science scooter score scream seal
season seat second secret see seed seek seem sell send sense set settings seven shade shadow shake shall shape share
sharp shave she sheep sheet sheila shelf shell shine ship shirt shock shoe shoot shop short shot should shoulder shout
show shower shuffle shut shutter sick side sight sign silk silver simon simple singer sink siri sister sit site
situation six size skill skin skip skirt sky sleep slide slim slip slow small smart smell smile smoke snake snow so
soap soccer sock soft soil soldier sole some something sometimes song soon sophia sorry sort soul sound soup south
space spaghetti speak speaker speech speed spell spend spin split spoon sport spot spread spring square stage stair
stake stall stamp stand star start station stay steal steam steel stem step stephanie steven stick stir stock stone
stop store storm story strap straw strawberry stream street stress stretch strike string strip strong student sugar
suit summer sun sunday supper sure susan swap swear sweep sweet swim swing system table tablet tail tailor take tale
talk tall tan tank tape task taste tax tea teacher team tear teeth television tell temperature temple ten tent term
terrible test texas text than thank thanks that the theater their them then there these they thick thin thing think
third thirty this thomas those thought thousand thread three throat throne through throw thumb thunder thursday ticket
tide tie tiger tight tile time timer tin tip tire tired to toast today toe together told tomato tomorrow ton tone
tonight took tool tooth top torch touch tour towel tower town toy track trade traffic trail train travel tray treat
tree trend trick trip troop trouble truck true trunk trust try tube tuesday tune turn tutor twelve twenty two type uh
uncle under university until up upper upstairs urge use useful usually valley vanilla vase vast vegetable very
victoria view village vincent vine violin visit visual voice volume vote wage wait wake walk wall walter want war ward
warm warn was wash watch water wave wax way we weak wealth wear weather website wed wednesday week weigh welcome well
went were west wet whale what wheat wheel when where whip white who why wide wife wild will william win wind window
wine wing winter wipe wire wisdom wise wish with wolf woman wonder wonderful wood wool word work world worry would
wound wow wrap wrist write wrong yard yawn yeah year yellow yes yesterday yet you young your zebra zero zone
"""
# What people say to devices, and what other devices are called: it is said most often, so it is mistaken most often.
COMMANDS = tuple(
    """
zero one two three four five six seven eight nine ten yes no okay up down left right on off stop go start play pause
next back open close light lights music volume louder timer alarm weather news call cancel help home mute door window
hello hey please thanks wake sleep computer alexa siri google jarvis cortana assistant robot
""".split()
)
WORDS = tuple(dict.fromkeys([*_EVERYDAY.split(), *COMMANDS]))
