"""Writes what the teachers say: lines of characters in games, and plain English sentences.

The lines are a template grammar over some eighteen hundred common words: greetings, quests, trade, threats,
directions, feelings. The sentences are the examples of use in WordNet's dictionary (Debian's package `wordnet-base`),
so that a model hears words in all kinds of company. Knows nothing about voices or sound. Everything is a function of
the seed, and one hash of the text (`is_held_out`) decides, for every stage of the recipe, which lines are never
trained on.
"""

import hashlib
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

MAX_WORDS = 20
FREE_SHARE = 0.75  # of what is said: plain sentences
WORDNET = Path("/usr/share/wordnet")
HELD_OUT_ONE_IN = 33  # about 3 % of the lines

# Slot name -> what may fill it; a filler may be several words. Spelling is American because the recogniser that
# judges the voices (`evaluate`) looks words up in an American dictionary.
_FILLERS: dict[str, str] = {
    "name": "Anna|Thomas|Martha|Oliver|Robin|Clara|Henry|Alice|Simon|Rosa|Victor|Helen|Marcus|Julia|Oscar|Emma|"
    "Felix|Laura|Peter|Nora",
    "person": "guard|king|queen|captain|merchant|wizard|hunter|farmer|baker|stranger|traveler|blacksmith|healer|"
    "doctor|master|soldier|knight|prince|princess|priest|sailor|miner|teacher|scholar|cook|servant|child|boy|"
    "girl|woman|man|keeper|singer|judge|mayor|scout|archer|monk|shepherd|fisherman",
    "kin": "friend|brother|sister|father|mother|son|daughter|uncle|aunt|wife|husband|cousin|grandfather|"
    "grandmother|neighbor|partner",
    "people": "guards|merchants|wizards|hunters|farmers|strangers|travelers|soldiers|knights|priests|sailors|"
    "miners|children|women|men|scouts|archers|monks|neighbors|brothers|sisters|villagers|workers",
    "foe": "wolf|dragon|goblin|bandit|troll|ghost|spider|thief|witch|giant|pirate|bear|snake|monster|demon|"
    "skeleton|vampire|beast|raider|assassin|shadow|serpent",
    "foes": "wolves|dragons|goblins|bandits|trolls|ghosts|spiders|thieves|witches|giants|pirates|bears|snakes|"
    "monsters|demons|skeletons|raiders|rats|bats|enemies|shadows|traitors",
    "item": "sword|shield|bow|arrow|potion|map|key|lantern|rope|coin|ring|crown|letter|book|stone|hammer|apple|"
    "horse|coat|helmet|knife|spear|axe|torch|candle|bottle|bag|box|chest|crystal|feather|mirror|scroll|"
    "necklace|belt|blanket|basket|cup|drum|bell|flag|mask|compass|boat|wagon|saddle|jewel|statue",
    "items": "swords|shields|bows|arrows|potions|maps|keys|lanterns|ropes|coins|rings|letters|books|stones|"
    "hammers|apples|horses|coats|knives|spears|torches|candles|bottles|bags|boxes|crystals|feathers|scrolls|"
    "blankets|baskets|herbs|mushrooms|flowers|seeds|fish|bones|jewels|weapons|tools|supplies|boots|gloves",
    "goods": "bread|water|wine|meat|cheese|honey|salt|iron|gold|silver|wood|leather|silk|wool|wheat|soup|fire|"
    "medicine|armor|powder|oil|milk|rice|corn|tea|food",
    "place": "gate|market|castle|village|forest|river|bridge|mountain|tower|harbor|cave|temple|tavern|mill|"
    "garden|road|valley|city|town|farm|mine|camp|desert|island|lake|swamp|ruins|library|prison|palace|church|"
    "school|kitchen|stable|cellar|wall|square|shore|hill|field|throne room|inn|graveyard|fountain|border|"
    "crossroads|waterfall|old well|guild hall",
    "adjective": "old|young|dark|bright|broken|hidden|ancient|golden|silver|brave|strange|cold|warm|heavy|little|"
    "quiet|dangerous|empty|holy|cursed|big|small|red|blue|green|black|white|sharp|strong|weak|rich|poor|clever|"
    "foolish|wild|royal|secret|sacred|lost|magic|wooden|rusty|lonely|famous|beautiful|terrible|gentle|hungry|"
    "loyal|evil|wounded|new|huge|tiny|silent|precious|simple|wise|northern|southern",
    "feeling": "tired|hungry|ready|lost|afraid|happy|sorry|angry|safe|alone|sick|thirsty|cold|proud|worried|"
    "hurt|glad|busy|nervous|awake|calm|confused|grateful|jealous|bored|curious|lucky|free|late|certain",
    "direction": "north|south|east|west|left|right",
    "when": "today|tonight|tomorrow|now|again|soon|later|at dawn|at noon|at midnight|at sunset|before dark|"
    "this morning|this evening|next week|in the morning|after the battle|before the storm",
    "past": "yesterday|last night|this morning|last winter|two days ago|a week ago|long ago|an hour ago|"
    "last summer|years ago",
    "season": "winter|spring|summer|autumn|harvest|festival|war|storm",
    "do": "find|bring|watch|follow|open|close|hold|take|guard|keep|carry|burn|steal|hide|sell|break|fix|clean|"
    "destroy|protect|search|leave|reach|save|buy|deliver|move|repair|forget|remember",
    "did": "found|brought|watched|followed|opened|closed|held|took|guarded|kept|carried|burned|stole|hid|sold|"
    "broke|fixed|destroyed|protected|searched|left|reached|saved|bought|lost|moved|repaired|built|made|gave away",
    "fight": "fight|kill|hunt|catch|stop|chase|attack|trap|defeat|scare|face|find|trick|follow",
    "fought": "fought|killed|hunted|caught|stopped|chased|attacked|trapped|defeated|scared|faced|found|tricked",
    "act": "sleep|wait|run|hide|rest|eat|drink|sing|dance|talk|listen|train|pray|work|leave|fight|ride|swim|"
    "climb|dig|read|write|cook|trade|travel|return|begin|hurry|stay",
    "acting": "sleeping|waiting|running|hiding|resting|eating|drinking|singing|dancing|talking|training|praying|"
    "working|leaving|fighting|riding|climbing|digging|reading|cooking|trading|traveling|crying|laughing|dying",
    "weather": "rain|snow|wind|fog|thunder|lightning|sun|moon|heat|ice|smoke|dust|darkness",
    "body": "hand|arm|leg|head|heart|eye|back|shoulder|foot|finger|face|knee",
    "color": "red|blue|green|black|white|yellow|purple|gray|brown|orange",
    "hello": "hello|good morning|good evening|good day|welcome|well met|greetings|hey there|my friend|ah|oh|hi",
    "please": "please|listen|look|wait|stop|careful|quickly|quiet|hurry|hey|come on|well|so|no|yes|very well|"
    "of course|alas|trust me|honestly|remember",
    "bye": "goodbye|farewell|safe travels|good night|take care|until next time|good luck|see you soon|be well",
    "small": "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve",
    "amount": "a little|some|enough|too much|more|less|plenty of|no",
    "how": "slowly|quickly|quietly|carefully|bravely|alone|together|well|badly|at once|every night|all day",
    "unit": "minutes|hours|days|weeks|months|years|miles|steps",
    "shout": "halt|stop|help|run|fire|attack|retreat|hurry|charge|silence|enough|never|intruder|follow me|"
    "stand back|watch out|look out|over here|to arms|get down|hold the line|no mercy|victory|for the king|"
    "leave me alone|behind you|not again|well done|come closer|step aside|stay back|hands up",
    "short": "yes|no|maybe|perhaps|of course|not yet|thank you|thanks|welcome back|never mind|who knows|"
    "good|very good|fine|agreed|indeed|really|why|where|when|how|what|who is there|nothing|everything|"
    "always|sometimes|it is time|I see|I know|I agree|I refuse|I promise|I am sorry|not today|as you wish|"
    "what now|let us go|so be it|I am ready|all right|be careful|too late|any news|who are you",
    "food": "apple pie|pancake|sandwich|sausage|cookie|chocolate|cake|candy|potato|tomato|onion|garlic|pepper|carrot|"
    "cabbage|lemon|orange|banana|cherry|grape|strawberry|pumpkin|peanut|butter|cream|sugar|egg|bacon|chicken|beef|"
    "turkey|noodle|porridge|biscuit|stew|pudding|coffee|juice|beer|lemonade|breakfast|lunch|dinner|supper",
    "animal": "dog|cat|rabbit|fox|deer|lion|tiger|monkey|elephant|camel|donkey|goat|sheep|cow|pig|duck|goose|eagle|"
    "owl|crow|raven|pigeon|parrot|turtle|frog|lizard|crab|shark|whale|dolphin|bee|butterfly|beetle|worm|squirrel|"
    "hedgehog|badger|otter|puppy|kitten|pony|unicorn",
    "plant": "tree|oak|pine|willow|rose|lily|grass|moss|bush|branch|leaf|root|berry|thorn|vine|weed|log|flower",
    "wear": "shirt|dress|jacket|cloak|robe|hood|hat|scarf|glove|shoe|sandal|sock|trousers|skirt|apron|uniform|"
    "bracelet|earring|button|pocket|sleeve|collar",
    "thing": "table|chair|bench|bed|pillow|window|curtain|carpet|shelf|drawer|ladder|bucket|barrel|broom|shovel|needle|"
    "thread|paper|pencil|ink|brush|clock|bottle cap|wheel|anchor|sail|net|hook|chain|lock|lever|pipe|wire|nail|brick|"
    "plate|bowl|spoon|fork|pot|pan|kettle|oven|stove|lamp|match|soap|towel|toy|doll|puppet|kite|dice|card|ticket|"
    "stamp|envelope|package|parcel|umbrella|suitcase|wallet|purse|violin|guitar|flute|trumpet|piano|whistle|painting",
    "gear": "engine|laser|reactor|robot|computer|screen|battery|cable|signal|radio|scanner|helmet visor|shuttle|rocket|"
    "satellite|antenna|generator|circuit|sensor|drone|turret|cannon|missile|rifle|pistol|grenade|parachute|elevator|"
    "vehicle|truck|motorcycle|bicycle|helicopter|airplane|submarine|telescope|camera|telephone|keyboard|machine",
    "role": "pilot|engineer|officer|sergeant|general|colonel|lieutenant|commander|mechanic|scientist|professor|"
    "detective|policeman|lawyer|banker|journalist|writer|poet|painter|musician|dancer|actor|carpenter|butcher|tailor|"
    "barber|gardener|librarian|nurse|surgeon|astronaut|explorer|mercenary|smuggler|gambler|beggar|blacksmith|"
    "apprentice|champion|warrior|paladin|ranger|rogue|bard|druid|sorcerer|necromancer|alchemist|prophet|pilgrim|"
    "emperor|duke|duchess|baron|lord|lady|governor|senator|president|ambassador|butler|maid|clerk|secretary",
    "site": "airport|station|hospital|factory|laboratory|warehouse|office|museum|theater|restaurant|hotel|bakery|"
    "pharmacy|bank|courthouse|stadium|park|playground|street|alley|avenue|highway|tunnel|bunker|hangar|planet|galaxy|"
    "asteroid|moon base|jungle|canyon|valley floor|glacier|volcano|meadow|cliff|beach|bay|lagoon|peninsula|reef|"
    "dungeon|labyrinth|chamber|corridor|staircase|attic|basement|balcony|courtyard|fortress|barracks|armory|shrine|"
    "cathedral|monastery|chapel|lighthouse|windmill|barn|cottage|mansion|village green|outpost|arena|portal",
    "virtue": "courage|honor|patience|wisdom|mercy|justice|loyalty|honesty|kindness|friendship|hope|faith|love|luck|"
    "peace|freedom|glory|fame|wealth|knowledge|strength|beauty|truth|trust|respect|pride|victory|revenge|power",
    "trouble": "fear|anger|hatred|greed|grief|sorrow|pain|shame|guilt|doubt|danger|trouble|hunger|thirst|disease|fever|"
    "poison|famine|plague|drought|flood|earthquake|accident|betrayal|defeat|death|chaos|panic|poverty|silence",
    "quality": "amazing|awful|boring|brilliant|careful|cheap|clean|comfortable|common|crazy|cruel|curved|damp|deadly|"
    "deep|delicious|dirty|dry|dull|dusty|eager|early|easy|elegant|enormous|expensive|faint|fair|faithful|fancy|fast|"
    "fierce|flat|fragile|fresh|friendly|frozen|funny|generous|gigantic|graceful|grim|handsome|harmless|helpful|hollow|"
    "honest|horrible|humble|icy|impossible|innocent|invisible|jolly|kind|lazy|loud|lovely|mad|massive|mighty|mysterious|"
    "narrow|nasty|neat|noble|noisy|odd|ordinary|pale|patient|peaceful|perfect|plain|pleasant|polite|powerful|pretty|"
    "proper|pure|quick|rare|reckless|rotten|rough|rude|shallow|shiny|shy|silly|sleepy|slippery|slow|smooth|soft|solid|"
    "spicy|steep|sticky|stubborn|stupid|sudden|suspicious|sweet|swift|tall|tame|tasty|thick|thin|tight|tough|ugly|"
    "unusual|useful|useless|vast|violent|warm hearted|wet|wicked|wide|wonderful|worthless|worthy",
    "manner": "gently|loudly|softly|silently|suddenly|finally|gladly|happily|sadly|angrily|nearly|hardly|clearly|"
    "exactly|easily|safely|secretly|certainly|probably|actually|completely|immediately|constantly|rarely|usually|often|"
    "forever|somewhere|anywhere|everywhere|upstairs|downstairs|outside|inside|nearby|far away|abroad|backwards|forward",
    "verb": "accept|add|admit|allow|answer|arrange|arrest|avoid|bake|bend|blame|bless|borrow|bury|cancel|change|check|"
    "choose|collect|compare|control|copy|count|cover|cut|deny|describe|discover|divide|draw|dress|drive|drop|earn|"
    "empty|enjoy|enter|escape|examine|exchange|explain|explore|fill|finish|fold|forgive|gather|grab|greet|guess|handle|"
    "heal|heat|ignore|imagine|improve|inspect|introduce|invite|join|judge|kick|knock|lend|lift|load|lower|mark|measure|"
    "melt|mention|mix|notice|obey|offer|order|paint|pass|pick|plant|polish|pour|praise|prepare|press|promise|prove|"
    "pull|punish|push|raise|recognize|refuse|release|replace|report|rescue|return|reveal|roll|scratch|seize|send|"
    "separate|serve|shake|share|sharpen|shoot|smell|sort|spend|split|spread|squeeze|store|study|support|surround|"
    "swallow|sweep|switch|taste|tear|test|throw|tie|touch|translate|twist|understand|unlock|upgrade|use|warn|wash|"
    "weigh|welcome|wrap",
    "verbs": "appears|arrives|barks|begins|belongs|blinks|blooms|breathes|collapses|disappears|dreams|explodes|falls|"
    "fails|floats|flows|flies|glows|grows|happens|howls|improves|jumps|kneels|lies|listens|matters|melts|moves|opens|"
    "returns|rises|screams|shines|shivers|sings|sleeps|smells|smiles|sneezes|speaks|spins|stinks|survives|trembles|"
    "vanishes|whispers|wins|works|yawns",
    "went": "agreed|arrived|asked|believed|bled|blew|called|came|changed|cheated|cried|decided|died|disappeared|"
    "dreamed|escaped|exploded|failed|fainted|fell|flew|forgot|grew|guessed|happened|hesitated|hoped|joked|jumped|knelt|knew|"
    "laughed|learned|lied|lived|married|nodded|prayed|quit|ran|recovered|refused|remembered|returned|rode|sang|sank|"
    "screamed|shouted|slept|slipped|smiled|sneezed|spoke|stood|stumbled|succeeded|suffered|surrendered|survived|swam|"
    "talked|thought|tried|vanished|waited|walked|wept|whispered|won|woke up|worked|yelled",
    "topic": "weather|news|rumor|legend|story|song|joke|riddle|question|answer|reason|idea|plan|problem|mistake|secret|"
    "lie|promise|rule|law|contract|lesson|game|contest|race|duel|dance|wedding|funeral|birthday|holiday|journey|voyage|"
    "adventure|expedition|mission|investigation|rebellion|revolution|invasion|siege|treaty|election|trial|crime|murder|"
    "robbery|conspiracy|prophecy|curse|spell|ritual|miracle|experiment|invention|discovery|treasure|fortune|inheritance|"
    "salary|price|debt|tax|bargain|discount|receipt|rumble|noise|accident|language|history|future|music|science",
    "player": "level|score|skill|health|shield|energy|experience|inventory|weapon slot|save point|checkpoint|bonus|"
    "reward|achievement|tutorial|menu|option|setting|controller|option screen|enemy base|final boss|next level|"
    "side quest|main quest|party|team|guild|match|round|tournament|leaderboard",
    "month": "January|February|March|April|May|June|July|August|September|October|November|December|Monday|Tuesday|"
    "Wednesday|Thursday|Friday|Saturday|Sunday",
    "land": "America|England|Scotland|Ireland|France|Germany|Spain|Italy|Greece|Egypt|India|China|Japan|Africa|Europe|"
    "Russia|Canada|Mexico|Brazil|London|Paris|Rome|Boston|Texas|Florida",
    "one": "yes|no|hi|hello|hey|oh|wow|ouch|stop|go|wait|look|listen|run|why|what|who|where|when|how|really|thanks|"
    "sorry|please|never|always|maybe|perhaps|okay|right|wrong|good|great|fine|excellent|perfect|amazing|goodbye|bye|"
    "welcome|help|fire|attack|retreat|charge|hurry|careful|quiet|silence|enough|again|more|nothing|everything|"
    "impossible|ridiculous|nonsense|interesting|finally|exactly|absolutely|certainly|definitely|obviously|jump|left|"
    "right|up|down|forward|faster|slower|ready|now|later|soon|tomorrow|cheers|congratulations|understood|correct|"
    "agreed|granted|done|gone|dead|alive|closer|there|here|alas|indeed|follow|coward|liar|traitor|fool|thief|murderer",
}  # fmt: skip

_TEMPLATES = """
{hello}, {name}. | {hello}, {person}. | {hello}, {name}, it is good to see you {when}. | {hello}, how are you {when}?
Welcome to the {place}, {person}. | Welcome back, {name}, you look {feeling}. | {bye}, {name}. | {bye}, my {kin}.
My name is {name}, and I am the {person} of this {place}. | They call me {name} the {adjective}. | Who are you, {person}?
{please}, {do} the {adjective} {item}. | {do} the {item} and {do} the {item}. | {do} me {number} {items} from the {place}.
{do} my {item} before the {season}. | {please}, {do} {number} {items} and come back {when}. | Could you {do} the {item} for me?
I need {number} {items} and {amount} {goods}. | If you {do} the {item}, I will give you {number} coins. | Will you help me {fight} the {foe}?
My {kin} {did} the {adjective} {item} {past}. | The {person} {did} the {item} near the {place}. | I {did} {number} {items} {past}.
I {fought} {number} {foes} near the {place}. | We {fought} the {adjective} {foe} {past}. | The {foes} {fought} my {kin} {past}.
There is a {foe} in the {place}! | There are {number} {foes} behind the {place}! | {please}, the {foes} are here! | Beware of the {adjective} {foe}.
The {foe} is {acting} under the {place}. | Never trust a {adjective} {person}. | Never {act} near the {place} at night.
You cannot {act} here, {person}. | You must not {do} the {item}. | I will not {do} your {item}, {person}. | We have to {fight} the {foes} {when}.
I will give you {number} {items} for the {item}. | It costs {number} coins. | That {item} costs {number} gold coins, no less.
Do you want to buy a {adjective} {item}? | I sell {items}, {items} and {goods}. | We have {amount} {goods} today. | That is too expensive, {name}.
I can offer you {number} coins for your {item}. | Fresh {goods}, only {number} coins! | Your {item} is worth {amount} {goods}.
Where is the {adjective} {place}? | Where did you {do} that {item}? | When does the {season} begin? | Why are you {acting} in the {place}?
What do you want, {person}? | What happened to your {body}? | Who {did} the {adjective} {item}? | How many {items} do you need?
How far is the {place}? | Which {item} is yours? | Have you seen my {kin}? | Have you seen the {adjective} {foe}? | Did you hear the {weather}?
Can you {act}, {name}? | Do you know the way to the {place}? | Do you need a {item}? | Is the {person} {feeling}? | Are you {feeling}, {name}?
The {place} is {direction} of the {place}. | Go {direction} and {do} the {item}. | Turn {direction} at the {place}, then {act}.
Walk {number} {unit} {direction} until you see the {place}. | It is only {number} {unit} to the {place}. | Take the {adjective} road past the {place}.
Follow the {color} {items} to the {place}. | The {place} is behind the {adjective} {place}. | Cross the {place} and look for the {color} door.
I am {feeling}, {name}. | I am so {feeling} {when}. | My {kin} is {feeling} {when}. | You look {feeling}. | Do not be {feeling}, my {kin}.
My {body} hurts, {name}. | I have a bad feeling about this {place}. | I miss my {kin} and the {adjective} {place}. | The {people} are {feeling} and {feeling}.
I was {acting} {how} {past}. | The {people} are {acting} in the {place}. | Someone is {acting} behind the {place}. | I hear {people} {acting} {how}.
Stay close to me and {act} {how}. | Stay away from the {place}, {person}. | Keep your {body} down and {act}. | Do not {act}, the {foe} is {acting}.
Come back {when}, {name}. | Come with me to the {place}. | Let us {fight} the {foe} {when}. | Let us {act} {when}. | Give me your {item} or {act}!
They say the {foe} {did} the {item}. | They say the {place} was full of {goods}. | People say that {foes} live under the {place}.
No one leaves the {place} {when}. | Nobody knows who {did} the {item}. | Everyone in the {place} is {acting}. | Every {season} the {foes} come back.
I saw {number} {adjective} {foes} on the {place}. | I saw a {color} light above the {place} {past}. | I heard that the {person} is {feeling}.
This {item} is {adjective} and {adjective}. | This {item} belonged to my {kin}. | That {place} belongs to the {person}. | This is the {adjective} {item} of the {person}.
The {weather} is coming from the {direction}. | I do not like the {weather}. | The {weather} is {adjective} {when}. | After the {season} comes the {weather}.
The {weather} and the {weather} will not stop us. | Look at the {color} {weather} over the {place}.
I have waited {number} {unit} for this {item}. | You have {number} {unit} to {do} the {item}. | It took {number} {unit} to reach the {place}.
The {person} will meet you at {number} near the {place}. | Meet me by the {place} {when}. | We leave {when}, so {act} {how}.
Thank you, {name}, you saved my {kin}. | Thank you for the {item}. | I owe you {number} {items}. | You have my word, {person}. | I am proud of you, my {kin}.
You will never {fight} me! | You will pay for this, {foe}! | I will {fight} every {foe} in this {place}! | Drop the {item} and {act}! | {shout}, {person}!
{shout}! The {foes} are {acting}! | {shout}! | {short}. | {short}, {name}. | {shout}, {name}! | {short}, my {kin}. | {short}, {short}.
{shout}, {person}, {shout}! | {short}, but the {person} is {feeling}. | {short}, I will {act} {when}. | {shout}! {shout}! | {short}! {short}!
Yes, the {person} is {acting}. | No, the {item} is {adjective}. | Maybe the {person} {did} it. | Perhaps we should {act}. | I think we should {do} the {item}.
I think you are {feeling}. | I believe the {foe} is {adjective}. | I know where the {person} {did} the {items}. | I wish I could {act} like the {people}.
If you see the {foe}, {act} {how}. | If the {foes} {act}, we {act} too. | When the bell rings, {do} the {place}. | Unless you {act}, the {foe} will {fight} us.
Because of the {weather}, the {people} cannot {act}. | Before you {act}, {do} the {items}. | Until the {season} ends, the {place} is closed.
The {adjective} {person} wants {amount} {goods}. | My {kin} makes the best {goods} in the {place}. | I could eat {number} {items} right now.
Once there was a {adjective} {person} who {did} a {adjective} {item}. | Long ago, the {people} and the {foes} {fought} for this {place}.
There are {number} {people} in the {place}. | There is nothing here but {goods} and {items}. | There is something {adjective} about this {item}.
Put the {item} on the table, {name}. | Put your {body} on the {item}. | Show me the {adjective} {item}. | Tell me about the {place}. | Tell the {person} that I am {feeling}.
Tell your {kin} to {act} {when}. | Ask the {person} about the {color} {item}. | Speak to {name} in the {place}. | {name} is waiting in the {place}. | {name} {did} the {item} {past}.
Only the {adjective} {person} can {do} this {item}. | Even the {people} are afraid of the {foes}. | Both the {person} and the {foe} are {feeling}.
He is a {adjective} {person}. | She was a {adjective} {person} {past}. | It was a {adjective} {item}. | They were {acting} {how}. | We are {feeling}. | He {did} her {items}.
She {fought} the {foe} with a {adjective} {item}. | He wants to {act} with his {kin}. | They gave us {number} {items}. | We must {act} {when}. | You should {act}, {name}.
I would rather {act} than {act}. | I used to {act} with the {people}. | I just want to {act}. | I cannot {act} without my {item}. | I always {act} {how}.
Your quest is to {fight} the {foe} of the {place}. | Your {kin} needs you {when}. | Your reward is {number} {items}. | Here is your {item}, {person}. | Here, take this {item}.
The key to the {place} is in the {adjective} {item}. | Use the {item} to open the {place}. | Light the {item} and {act}. | The door of the {place} is {adjective}.
Our {place} needs {amount} {goods}. | Our {people} {did} {number} {items} {past}. | Their {item} is bigger than ours. | His {kin} was a {person}. | Her {body} is {adjective}.
{one}. | {one}! | {one}? | {one}. {one}! | {one}, {name}! | {one}. {one}, {name}. | {name}? | {name}! {one}! | {one}, {one}. | {small}. | {number}. | {person}! | {verb}! | {site}.
Would you like some {food}, or the {quality} {food}? | I smell {food} and {food}. | Who ate my {food}? | Cook the {food} with {food} and salt. | This {food} tastes {quality}. | We had {food} for {food}.
A {quality} {animal} is sleeping on your {thing}. | My {animal} chased a {animal} past the {plant}. | Do not feed the {animal}, it is {quality}. | Beware, the {animal} {verbs}. | I dreamed of a {quality} {animal}.
The {animal} {went}, and then the {animal} {went}. | There is a {animal} under the {plant}. | Hunters found {number} tracks of a {animal}. | Even a {quality} {animal} {verbs} {manner}. | Like a {animal}, he {went} {manner}.
Put on your {wear} and your {wear}. | That {wear} looks {quality} on you. | She wore a {quality} {wear} and a {color} {wear}. | I lost my {wear} near the {site}. | Your {wear} is {quality}, {role}.
Hand me the {thing}, please. | The {thing} is under the {quality} {thing}. | Look behind the {thing}, {name}. | He {went} and broke the {thing}. | {verb} the {thing} before you {verb} the {thing}. | My {kin} made this {thing}.
The {gear} is {quality}, {role}. | Captain, the {gear} is not responding! | {verb} the {gear} at once! | We need a new {gear} for the {gear}. | Our {gear} failed {number} minutes ago. | Turn off the {gear} and {verb} the {gear}.
A {quality} {role} lives in the {site}. | The {role} {went} {manner}. | Are you the {role} of this {site}? | Every {role} needs a {thing}. | I was a {role} before the {topic}. | The {role} and the {role} {went} {past}.
Take me to the {site}, {role}. | We will meet at the {site} on {month}. | Nothing ever {verbs} in this {site}. | The {site} is {quality} in {month}. | Who guards the {site}, and why? | From the {site} you can see the {site}.
You have shown {virtue}, {role}. | There is no {virtue} without {virtue}. | {virtue} is worth more than {virtue}. | {trouble} {verbs}, but {virtue} {verbs}. | I feel {trouble} in this {site}. | You bring {trouble} and {trouble}.
Give me {virtue} or give me {virtue}. | The {role} fears {trouble}. | We have seen too much {trouble}. | My heart is full of {virtue}. | Without {virtue} there is only {trouble}. | {trouble} will not stop us.
It was a {quality} and {quality} {topic}. | Have you heard about the {topic}? | Tell me a {topic} about the {role}. | The {topic} was {quality}. | What a {quality} {topic}! | That is a {quality} {topic}, {name}. | How {quality}!
I do not believe this {topic}. | The {topic} begins on {month}. | After the {topic}, everything was {quality}. | There was a {topic} about a {animal} and a {role}. | Forget the {topic}, we have a {topic}. | This {topic} is {manner} {quality}.
You should {verb} it {manner}. | I could not {verb} the {topic}. | Please {verb} and {verb} the {thing}. | Let me {verb} that for you. | Never {verb} what you cannot {verb}. | First {verb} the {plant}, then {verb} the {plant}. | Did you {verb} the {wear}?
I will {verb} you, {name}. | They want to {verb} our {site}. | Do not {verb} me {manner}. | Can you {verb} this {topic}? | We must {verb} the {role} {manner}. | Why did you {verb} the {animal}? | Try to {verb} it with a {thing}.
She {went} and {went}. | He {went}, but nobody {went}. | I {went} when the {role} {went}. | We {went} {manner}. | They {went} {past}. | When the moon {verbs}, the {animal} {verbs}. | Someone {went} outside. | My {kin} {went} {manner}.
Your {player} is {quality}. | You have reached the {player}. | {verb} the {player} to go on. | Congratulations, you have {number} points! | Press the {color} button to {verb}. | The {player} starts in {number} seconds. | Player {small}, {verb} the {player}!
Open the {player} and {verb} your {player}. | The {player} is almost over. | You need {number} more points for the {player}. | Hold the button and {verb}. | Choose your {player}. | Mission {small} is complete.
In {month} we travel to {land}. | I was born in {land} in {month}. | A {role} from {land} {went} here. | The {food} of {land} is {quality}. | Have you ever been to {land}? | My {kin} sailed from {land} to {land}.
On {month} the {site} is closed. | {month} is {quality}. | I never {verb} on {month}. | Her {animal} is {quality} and {quality}. | What would you {verb} for a {quality} {thing}? | It {verbs} {manner}, {role}. | If it {verbs}, {verb} it.
"""  # fmt: skip  # noqa: E501

_SLOT = re.compile(r"\{(\w+)\}")
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()

_CHOICES = {slot: fillers.split("|") for slot, fillers in _FILLERS.items()}
_SENTENCES = [part.strip() for row in _TEMPLATES.strip().splitlines() for part in row.split(" | ")]


def lines(seed: int, *, held_out: bool | None = None) -> Iterator[str]:
    """Yields lines for ever, the same ones for the same seed.

    `held_out` keeps only held-out lines (True), only the others (False), or both (None).
    """
    rng = random.Random(seed)
    while True:
        line = _line(rng)
        if len(line.split()) > MAX_WORDS:
            continue
        if held_out is None or held_out == is_held_out(line):
            yield line


def sentences(seed: int, *, held_out: bool | None = None) -> Iterator[str]:
    """Plain sentences in a random order, all of them before any comes again. `held_out` as in `lines`."""
    return shuffled(_plain(), seed, held_out)


def mixed(seed: int, *, held_out: bool | None = None) -> Iterator[str]:
    """Lines and plain sentences, FREE_SHARE of them plain. `held_out` as in `lines`."""
    return in_turns(lines(seed, held_out=held_out), sentences(seed, held_out=held_out), seed)


def shuffled(texts: Sequence[str], seed: int, held_out: bool | None) -> Iterator[str]:
    """Yields texts of any language for ever, all of them before any comes again. `held_out` as in `lines`."""
    rng = random.Random(seed)
    kept = [text for text in texts if held_out is None or held_out == is_held_out(text)]
    while True:
        yield from rng.sample(kept, len(kept))


def in_turns(said: Iterator[str], plain: Iterator[str], seed: int) -> Iterator[str]:
    """Yields from both at random, FREE_SHARE of it plain."""
    rng = random.Random(seed)
    while True:
        yield next(plain if rng.random() < FREE_SHARE else said)


def is_held_out(text: str) -> bool:
    """True for the lines that no stage may train on. Case and punctuation do not matter."""
    digest = hashlib.sha256(" ".join(spoken_words(text)).encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_ONE_IN == 0


def spoken_words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return re.findall(r"[a-z']+", text.lower())


def vocabulary() -> list[str]:
    """Every word that a line can contain, sorted."""
    texts = [filler for fillers in _CHOICES.values() for filler in fillers]
    texts += [_SLOT.sub(" ", sentence) for sentence in _SENTENCES]
    texts += [*_TENS, *_ONES, *_TEENS, "hundred", "an"]
    return sorted({word for text in texts for word in spoken_words(text)})


@cache
def _plain() -> tuple[str, ...]:
    """WordNet's examples of use, as sentences. Raises `FileNotFoundError` without the package."""
    from finetune.tiny.g2p import read_dictionary  # brings the dictionary, which only this needs

    known = read_dictionary()
    found: dict[str, None] = {}
    for part in ("adj", "adv", "noun", "verb"):
        for row in (WORDNET / f"data.{part}").read_text(encoding="latin-1").splitlines():
            _, _, gloss = row.partition(" | ")
            for text in re.findall(r'"([^"]+)"', gloss):
                words = spoken_words(text)
                # Words of the dictionary only: it is sure how they are said.
                if (
                    re.fullmatch(r"[A-Za-z,.;'!? -]+", text)
                    and 3 <= len(words) <= MAX_WORDS
                    and all(word in known for word in words)
                ):
                    text = text.strip(" ,;.")
                    end = "" if text[-1] in "!?" else "."
                    found[text[0].upper() + text[1:] + end] = None
    return tuple(found)


def _line(rng: random.Random) -> str:
    line = _sentence(rng)
    # Some get more sentences, so that pauses inside a line are learned as well.
    while len(line.split()) <= 12 and rng.random() < 0.25:
        line = f"{line} {_sentence(rng)}"
    return line


def _sentence(rng: random.Random) -> str:
    def fill(slot: re.Match[str]) -> str:
        return _number(rng) if slot[1] == "number" else rng.choice(_CHOICES[slot[1]])

    sentence = _SLOT.sub(fill, rng.choice(_SENTENCES))
    sentence = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", sentence)
    # Capitals start sentences, also the second of a template such as "{shout}! The {foes} ...".
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), sentence)


def _number(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(_CHOICES["small"])
    if kind < 0.7:
        return rng.choice(_TEENS)
    if kind < 0.85:
        return rng.choice(_TENS)
    if kind < 0.95:
        return f"{rng.choice(_TENS)} {rng.choice(_ONES)}"
    return f"{rng.choice(['a', *_ONES])} hundred"
